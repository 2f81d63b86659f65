import { Alert, InlineField, InlineFieldRow, Select } from '@grafana/ui';
import React from 'react';
import type { DataSource } from './datasource';
import { Filters } from './Filters';
import { option, options, useNames } from './options';
import type { VariableQuery } from './types';

interface Props {
  datasource: DataSource;
  query: VariableQuery | string;
  onChange(query: VariableQuery, definition: string): void;
}

/** Edits a template variable: the values of a dimension, of the runs that match. */
export function VariableQueryEditor({ datasource, query, onChange }: Props) {
  const { dimensions, error } = useNames(datasource);
  const value: VariableQuery = typeof query === 'object' && query ? query : { dim: '' };
  const set = (change: Partial<VariableQuery>) => {
    const next = { ...value, ...change };
    const filters = (next.where ?? []).map((c) => `${c.dim} ${c.op} ${(c.values ?? []).join(', ')}`).join('; ');
    onChange(next, `${next.dim}${filters && ` where ${filters}`}`);
  };
  return (
    <>
      {error && <Alert title="The collector does not say what there is">{error}</Alert>}
      <InlineFieldRow>
        <InlineField label="Values of" labelWidth={14}>
          <Select
            aria-label="Values of"
            width={32}
            options={options(dimensions)}
            value={value.dim ? option(value.dim) : null}
            onChange={(v) => set({ dim: v.value ?? '' })}
          />
        </InlineField>
      </InlineFieldRow>
      <Filters datasource={datasource} dimensions={dimensions} where={value.where ?? []} onChange={(where) => set({ where })} />
    </>
  );
}
