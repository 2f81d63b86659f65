import type { SelectableValue, TimeRange } from '@grafana/data';
import { AsyncMultiSelect, Button, InlineField, InlineFieldRow, Select } from '@grafana/ui';
import React from 'react';
import type { DataSource } from './datasource';
import { LazyInput } from './LazyInput';
import { option, options } from './options';
import type { Cond, Named, Op } from './types';

const ops: Array<SelectableValue<Op>> = [
  { value: 'in', label: 'is', description: 'one of the values' },
  { value: 'not_in', label: 'is not', description: 'none of the values, or unknown' },
  { value: 'match', label: 'matches', description: 'the pattern, RE2, the whole value' },
  { value: 'not_match', label: 'does not match', description: 'the pattern' },
  { value: 'exists', label: 'is known', description: '' },
];

/** The operator as the editor offers it: eq and ne are in and not_in of one value. */
function shown(op: Op): Op {
  return op === 'eq' ? 'in' : op === 'ne' ? 'not_in' : op;
}

interface Props {
  datasource: DataSource;
  dimensions: Named[];
  range?: TimeRange;
  where: Cond[];
  onChange(where: Cond[]): void;
}

/** The conditions of a query, one a row, with the collector's own values to choose from. */
export function Filters({ datasource, dimensions, range, where, onChange }: Props) {
  const set = (i: number, cond: Cond) => onChange(where.map((c, at) => (at === i ? cond : c)));
  return (
    <>
      {where.map((cond, i) => (
        <InlineFieldRow key={i}>
          <InlineField label={i === 0 ? 'Where' : 'and'} labelWidth={14}>
            <Select
              aria-label={`Dimension ${i + 1}`}
              width={24}
              options={options(dimensions)}
              value={cond.dim ? option(cond.dim) : null}
              allowCustomValue
              onChange={(v) => set(i, { dim: v.value ?? '', op: cond.op, values: [] })}
            />
          </InlineField>
          <InlineField>
            <Select aria-label={`Operator ${i + 1}`} width={18} options={ops} value={shown(cond.op)} onChange={(v) => set(i, retarget(cond, v.value ?? 'in'))} />
          </InlineField>
          <InlineField grow>
            <Values row={i + 1} cond={cond} datasource={datasource} range={range} onChange={(values) => set(i, { ...cond, op: shown(cond.op), values })} />
          </InlineField>
          <Button aria-label={`Remove filter ${i + 1}`} icon="times" variant="secondary" onClick={() => onChange(where.filter((_, at) => at !== i))} />
        </InlineFieldRow>
      ))}
      <InlineFieldRow>
        <InlineField label={where.length === 0 ? 'Where' : 'and'} labelWidth={14}>
          <Button icon="plus" variant="secondary" onClick={() => onChange([...where, { dim: '', op: 'in', values: [] }])}>
            Filter
          </Button>
        </InlineField>
      </InlineFieldRow>
    </>
  );
}

/** The condition with another operator; values stay where they still make sense. */
function retarget(cond: Cond, op: Op): Cond {
  const list = (o: Op) => o === 'in' || o === 'not_in';
  return { dim: cond.dim, op, values: list(shown(cond.op)) === list(op) && op !== 'exists' ? cond.values : [] };
}

interface ValuesProps extends Pick<Props, 'datasource' | 'range'> {
  row: number;
  cond: Cond;
  onChange(values: string[]): void;
}

function Values({ row, cond, datasource, range, onChange }: ValuesProps) {
  switch (cond.op) {
    case 'exists':
      return (
        <Select
          aria-label={`Known ${row}`}
          width={12}
          options={[option('true', 'yes'), option('false', 'no')]}
          value={cond.values?.[0] ?? 'true'}
          onChange={(v) => onChange([v.value ?? 'true'])}
        />
      );
    case 'match':
    case 'not_match':
      return <LazyInput aria-label={`Pattern ${row}`} placeholder="4\.1\..*" value={cond.values?.[0]} save={(v) => onChange([v])} />;
  }
  const load = async (prefix: string) => (cond.dim ? (await datasource.values(cond.dim, { prefix, range, limit: 100 })).map((v) => option(v)) : []);
  return (
    <AsyncMultiSelect
      key={cond.dim}
      aria-label={`Values ${row}`}
      placeholder="Choose or type values, or a $variable"
      loadOptions={load}
      defaultOptions
      allowCustomValue
      value={(cond.values ?? []).map((v) => option(v))}
      onChange={(chosen) => onChange(chosen.map((v) => v.value ?? ''))}
    />
  );
}
