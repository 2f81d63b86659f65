import type { DataQuery, DataSourceJsonData } from '@grafana/data';

/** A condition on a dimension, as the collector takes it. */
export interface Cond {
  dim: string;
  op: Op;
  values?: string[];
}

export type Op = 'eq' | 'ne' | 'in' | 'not_in' | 'match' | 'not_match' | 'exists';

/** What the query editor saves; the back end's package model says what each key means. */
export interface Query extends DataQuery {
  queryType?: 'runs' | 'trace';
  measures?: string[];
  group_by?: string[];
  where?: Cond[];
  order_by?: { measure: string; desc?: boolean } | null;
  limit?: number;
  /** auto, a duration such as 5m, or empty for one bucket: a table. */
  step?: string;
  compare?: string;
  /** A dimension of group_by whose values are compared with each other within a round. */
  pair_by?: string;
  exemplars?: number;
  legend?: string;
  /** Set by links from data points: the bucket that begins at these Unix milliseconds. */
  at?: string;
  for?: string;
  run_id?: string;
}

/** What a variable's editor saves. */
export interface VariableQuery {
  dim: string;
  where?: Cond[];
}

export interface Options extends DataSourceJsonData {
  tlsAuth?: boolean;
  tlsAuthWithCACert?: boolean;
  tlsSkipVerify?: boolean;
  serverName?: string;
  timeout?: number;
}

/** The secrets: written once, never read back. */
export interface Secrets {
  token?: string;
  tlsCACert?: string;
  tlsClientCert?: string;
  tlsClientKey?: string;
}

/** A measure or dimension, as the collector lists it. */
export interface Named {
  name: string;
  unit?: string;
  doc: string;
}

export const defaultQuery: Partial<Query> = { queryType: 'runs', measures: ['sli'], group_by: [], where: [], step: 'auto' };
