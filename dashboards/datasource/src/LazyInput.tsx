import { Input } from '@grafana/ui';
import React, { useEffect, useState } from 'react';

interface Props {
  'aria-label': string;
  placeholder?: string;
  width?: number;
  value?: string;
  save(value: string): void;
}

/** A text that is taken over when the field is left or Enter is pressed, so that no half of it is asked for. */
export function LazyInput({ value = '', save, ...rest }: Props) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const done = () => {
    setText(value); // what is not taken over does not stay
    if (text.trim() !== value) {
      save(text.trim());
    }
  };
  return (
    <Input
      {...rest}
      value={text}
      onChange={(e) => setText(e.currentTarget.value)}
      onBlur={done}
      onKeyDown={(e) => e.key === 'Enter' && done()}
    />
  );
}
