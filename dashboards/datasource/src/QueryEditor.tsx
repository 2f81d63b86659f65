import type { QueryEditorProps } from '@grafana/data';
import { Alert, Button, InlineField, InlineFieldRow, InlineSwitch, MultiSelect, RadioButtonGroup, Select } from '@grafana/ui';
import React from 'react';
import type { DataSource } from './datasource';
import { Filters } from './Filters';
import { LazyInput } from './LazyInput';
import { hasPoint } from './links';
import { option, options, useNames } from './options';
import { defaultQuery, type Named, type Options, type Query } from './types';

const types = [
  { label: 'Runs', value: 'runs' as const, description: 'Measures over runs, as series or as a table' },
  { label: 'One run', value: 'trace' as const, description: 'One run with its steps, as a waterfall' },
];

const steps = [
  { value: 'auto', label: 'auto', description: 'a series, as fine as the panel shows' },
  { value: '', label: 'none: a table', description: 'one row for the whole range' },
  ...['10s', '1m', '5m', '15m', '1h', '1d'].map((v) => option(v)),
];

const pairs = ['cdn', 'app', 'app_version', 'player'].map((v) => option(v));

/** Edits a query of a panel, of Explore or of an alert rule. */
export function QueryEditor({ datasource, query, range, onChange, onRunQuery }: QueryEditorProps<DataSource, Query, Options>) {
  const q: Query = { ...defaultQuery, ...query };
  const names = useNames(datasource);
  const set = (change: Partial<Query>) => {
    onChange({ ...q, ...change });
    onRunQuery();
  };
  return (
    <>
      {names.error && <Alert title="The collector does not say what there is">{names.error}</Alert>}
      <InlineFieldRow>
        <InlineField label="Show" labelWidth={14}>
          <RadioButtonGroup options={types} value={q.queryType} onChange={(queryType) => set({ queryType })} />
        </InlineField>
      </InlineFieldRow>
      {q.queryType === 'trace' ? (
        <InlineField label="Run" labelWidth={14} tooltip="The run's id; links from runs fill it in" grow>
          <LazyInput aria-label="Run" placeholder="32 hex digits" value={q.run_id} save={(run_id) => set({ run_id })} />
        </InlineField>
      ) : (
        <>
          <What q={q} measures={names.measures} dimensions={names.dimensions} set={set} />
          <Filters datasource={datasource} dimensions={names.dimensions} range={range} where={q.where ?? []} onChange={(where) => set({ where })} />
          <How q={q} set={set} />
        </>
      )}
    </>
  );
}

interface Part {
  q: Query;
  set(change: Partial<Query>): void;
}

function What({ q, measures, dimensions, set }: Part & { measures: Named[]; dimensions: Named[] }) {
  return (
    <InlineFieldRow>
      <InlineField label="Measures" labelWidth={14} grow>
        <MultiSelect
          aria-label="Measures"
          placeholder="runs"
          options={options(measures, q.measures)}
          value={(q.measures ?? []).map((v) => option(v))}
          allowCustomValue
          onChange={(chosen) => set({ measures: chosen.map((v) => v.value ?? '') })}
        />
      </InlineField>
      <InlineField label="Group by" labelWidth={12} grow>
        <MultiSelect
          aria-label="Group by"
          placeholder="all runs together"
          options={options(dimensions, q.group_by)}
          value={(q.group_by ?? []).map((v) => option(v))}
          allowCustomValue
          onChange={(chosen) => set({ group_by: chosen.map((v) => v.value ?? '') })}
        />
      </InlineField>
    </InlineFieldRow>
  );
}

/** How the answer is cut into buckets, ordered, compared and named. */
function How({ q, set }: Part) {
  const columns = [...(q.measures?.length ? q.measures : ['runs']), ...(q.group_by ?? [])];
  const custom = q.step && !steps.some((s) => s.value === q.step) ? [option(q.step)] : [];
  return (
    <>
      <InlineFieldRow>
        <InlineField label="Step" labelWidth={14} tooltip="The length of a bucket; none makes a table">
          <Select aria-label="Step" width={18} options={[...steps, ...custom]} value={q.step ?? ''} allowCustomValue onChange={(v) => set({ step: v.value ?? '' })} />
        </InlineField>
        <InlineField label="Order by" labelWidth={12}>
          <Select
            aria-label="Order by"
            width={24}
            placeholder="most runs first"
            isClearable
            options={columns.map((c) => option(c))}
            value={q.order_by ? option(q.order_by.measure) : null}
            onChange={(v) => set({ order_by: v?.value ? { measure: v.value, desc: q.order_by?.desc ?? true } : undefined })}
          />
        </InlineField>
        {q.order_by && (
          <InlineField label="Descending">
            <InlineSwitch
              aria-label="Descending"
              value={Boolean(q.order_by.desc)}
              onChange={(e) => q.order_by && set({ order_by: { ...q.order_by, desc: e.currentTarget.checked } })}
            />
          </InlineField>
        )}
        <Text label="Limit" tooltip="At most so many series, or rows" placeholder="1000" value={q.limit?.toString()} save={(v) => set({ limit: Number(v) || undefined })} />
      </InlineFieldRow>
      <InlineFieldRow>
        <Text
          label="Compare"
          labelWidth={14}
          tooltip="The same range so much earlier, beside it: -7d"
          placeholder="-7d"
          value={q.compare}
          save={(v) => set({ compare: v || undefined })}
        />
        <InlineField label="Pair by" labelWidth={12} tooltip="Compare these with each other, run by run of one round; group by it too. For pairs and the …_paired_diff measures">
          <Select
            aria-label="Pair by"
            width={18}
            placeholder="nothing"
            isClearable
            options={pairs}
            value={q.pair_by ? option(q.pair_by) : null}
            onChange={(v) => set({ pair_by: v?.value || undefined })}
          />
        </InlineField>
        <Text
          label="Exemplars"
          tooltip="Runs to look at, for each point or row: at most 5"
          placeholder="0"
          value={q.exemplars?.toString()}
          save={(v) => set({ exemplars: Number(v) || undefined })}
        />
        {q.step && (
          <Text label="Legend" tooltip="{{country}} is that dimension's value, {{measure}} the measure" placeholder="{{country}}" value={q.legend} save={(v) => set({ legend: v || undefined })} />
        )}
      </InlineFieldRow>
      {hasPoint(q) && (
        <InlineFieldRow>
          <InlineField label="Range" labelWidth={14} tooltip="Set by the link that led here">
            <Button icon="times" variant="secondary" onClick={() => set({ at: undefined, for: undefined })}>
              Only {q.for} from {new Date(Number(q.at)).toLocaleString()}
            </Button>
          </InlineField>
        </InlineFieldRow>
      )}
    </>
  );
}

interface TextProps {
  label: string;
  labelWidth?: number;
  tooltip: string;
  placeholder: string;
  value?: string;
  save(value: string): void;
}

/** A short text with its label. */
function Text({ label, labelWidth, tooltip, ...rest }: TextProps) {
  return (
    <InlineField label={label} labelWidth={labelWidth} tooltip={tooltip}>
      <LazyInput aria-label={label} width={label === 'Legend' ? 24 : 10} {...rest} />
    </InlineField>
  );
}
