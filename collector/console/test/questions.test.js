import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseView, UNKNOWN } from '../static/js/address.js';
import { describe, toRows } from '../static/js/api.js';
import { badRunsQuestion, knownQuestion, matrixQuestion, seriesQuestion, stepFor, withoutOpenEnd } from '../static/js/questions.js';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 23, 12);

for (const [range, want] of /** @type {[number, string][]} */ ([
  [HOUR / 4, '15s'], [HOUR, '1m'], [6 * HOUR, '5m'], [24 * HOUR, '30m'], [7 * 24 * HOUR, '6h'], [28 * 24 * HOUR, '12h'],
  [400 * 24 * HOUR, '1w'], [NaN, '1w'],
])) {
  test(`step of ${range / HOUR} h`, () => assert.equal(stepFor(range), want));
}

test('the chosen cell narrows charts and list, not the matrix', () => {
  const v = { ...parseView('?target=news&app=web&app_version=5'), country: 'BR', cdn: UNKNOWN };
  const filters = [
    { dim: 'target', op: 'eq', values: ['news'] }, { dim: 'app', op: 'eq', values: ['web'] }, { dim: 'app_version', op: 'eq', values: ['5'] }];
  const cell = [{ dim: 'country', op: 'eq', values: ['BR'] }, { dim: 'cdn', op: 'exists', values: ['false'] }];
  assert.deepEqual(matrixQuestion(v).where, filters);
  assert.deepEqual(seriesQuestion(v, NOW).where, [...filters, ...cell]);
  assert.deepEqual(badRunsQuestion(v).where, [...filters, ...cell, { dim: 'good', op: 'eq', values: ['false'] }]);
});

test('cells are remembered for a day before the range, and at most as long as the API looks back', () => {
  assert.equal(knownQuestion(parseView(''), NOW).from, `now-${25 * HOUR}ms`);
  assert.equal(knownQuestion(parseView('?from=2026-11-23T11:00:00Z'), NOW).from, '2026-11-22T11:00:00.000Z');
  assert.equal(knownQuestion(parseView('?from=now-400d'), NOW).from, `now-${400 * 24 * HOUR - 60_000}ms`);
  assert.equal(knownQuestion(parseView('?from=garbage'), NOW).from, 'garbage');
});

test('buckets that have only begun are left out', () => {
  const rows = [60_000, 15_000, 10_000, 5_000, 0].map((ago) => new Map([['time', new Date(NOW - ago).toISOString()]]));
  assert.equal(withoutOpenEnd(rows, NOW).length, 3);
  assert.equal(withoutOpenEnd(rows.slice(0, 2), NOW).length, 2);
});

test('rows by column', () => {
  const meta = { source: 'raw', max_error: 0, complete_until: null, took_ms: 0, truncated: false };
  const [row] = toRows({ columns: [{ name: 'cdn', kind: 'dimension', unit: '' }, { name: 'runs', kind: 'measure', unit: '' }], rows: [['a', 3]], meta });
  assert.deepEqual([row?.get('cdn'), row?.get('runs')], ['a', 3]);
});

test('the API’s errors in words', () => {
  assert.equal(describe('{"error":"x","message":"\\"cnd\\" is not a dimension","field":"group_by[1]","did_you_mean":["cdn"]}'),
    'group_by[1]: "cnd" is not a dimension; did you mean cdn?');
  assert.equal(describe('<html>'), null);
});
