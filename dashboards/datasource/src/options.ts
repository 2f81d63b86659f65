import type { SelectableValue } from '@grafana/data';
import { useEffect, useState } from 'react';
import type { DataSource } from './datasource';
import type { Named } from './types';

/** A value to choose. */
export function option(value: string, label = value): SelectableValue<string> {
  return { value, label };
}

/**
 * What the collector lists, to choose from, and what is chosen without being
 * in the list: a Grafana before 10 drops a chosen value that is no option.
 */
export function options(list: Named[], chosen: string[] = []): Array<SelectableValue<string>> {
  const listed = list.map(({ name, doc, unit }) => ({ value: name, label: name, description: unit ? `${doc} (${unit})` : doc }));
  return [...listed, ...chosen.filter((v) => !list.some(({ name }) => name === v)).map((v) => option(v))];
}

/** The collector's measures and dimensions; empty until it has answered, with the error if it has not. */
export function useNames(datasource: DataSource): { measures: Named[]; dimensions: Named[]; error?: string } {
  const [names, setNames] = useState<{ measures: Named[]; dimensions: Named[]; error?: string }>({ measures: [], dimensions: [] });
  useEffect(() => {
    let gone = false;
    Promise.all([datasource.measures(), datasource.dimensions()]).then(
      ([measures, dimensions]) => gone || setNames({ measures, dimensions }),
      (e) => gone || setNames({ measures: [], dimensions: [], error: e?.data?.message ?? e?.message ?? String(e) })
    );
    return () => {
      gone = true;
    };
  }, [datasource]);
  return names;
}
