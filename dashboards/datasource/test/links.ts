import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DataQueryResponse } from '@grafana/data';
import { hasPoint, restore } from '../src/links';

test('links come from the custom config, the rest of which stays', () => {
  const links = [{ title: 'Show the run', url: '', internal: { datasourceUid: 'x', datasourceName: 'X', query: { run_id: '${__value.raw}' } } }];
  const answer = (...configs: Array<object | undefined>) => ({ data: [{ fields: configs.map((config) => ({ config })) }] }) as unknown as DataQueryResponse;
  assert.deepEqual(
    restore(answer({ unit: 'ms', custom: { links, lineWidth: 2 } }, { custom: { width: 80 } }, {}, undefined)),
    answer({ unit: 'ms', links, custom: { lineWidth: 2 } }, { custom: { width: 80 } }, {}, undefined)
  );
});

test('a point is Unix milliseconds, and no variable that was left as it is', () => {
  assert.deepEqual([undefined, '', '${__value.time}', '1795424400000'].map((at) => hasPoint({ refId: 'A', at })), [false, false, false, true]);
});
