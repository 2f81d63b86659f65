import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DataQueryResponse } from '@grafana/data';
import { apart } from '../src/explore';

const field = (name: string) => ({ name, values: [1] });
const answer = (...data: object[]) => ({ data }) as unknown as DataQueryResponse;

test('a frame of series becomes one for each, notices told once', () => {
  const graph = { preferredVisualisationType: 'graph', notices: [{ severity: 'info', text: 'estimates' }] };
  assert.deepEqual(apart(answer({ refId: 'A', length: 1, meta: graph, fields: [field('time'), field('a'), field('b')] })), answer(
    { refId: 'A', length: 1, meta: graph, fields: [field('time'), field('a')] },
    { refId: 'A', length: 1, meta: { ...graph, notices: undefined }, fields: [field('time'), field('b')] }
  ));
});

test('tables, traces and a single series stay', () => {
  for (const frame of [
    { meta: { preferredVisualisationType: 'table' }, fields: [field('cdn'), field('sli'), field('runs')] },
    { meta: { preferredVisualisationType: 'trace' }, fields: [field('traceID'), field('spanID'), field('startTime')] },
    { meta: { preferredVisualisationType: 'graph' }, fields: [field('time'), field('sli')] },
    { meta: { preferredVisualisationType: 'graph' }, fields: [] },
    { fields: [field('time'), field('a'), field('b')] },
  ]) {
    assert.deepEqual(apart(answer(frame)), answer(frame));
  }
});
