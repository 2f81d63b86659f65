import assert from 'node:assert/strict';
import { test } from 'node:test';

import { toRows } from '../static/js/api.js';
import { errorName, headline, lostIn, stateOf, toMatrix, worst } from '../static/js/cells.js';
import { PHASES } from '../static/js/phases.js';

const COLUMNS = ['country', 'cdn', 'runs', 'bad', 'failed', 'sli', 'ttff_ms_p50', 'ttff_ms_p95', ...PHASES.map((p) => `${p.field}_avg`)];

/**
 * Rows as the collector answers them.
 * @param {string[]} names
 * @param {(string|number|null)[][]} values
 */
const rows = (names, values) => toRows({
  columns: names.map((name) => ({ name, kind: '', unit: '' })),
  rows: values,
  meta: { source: 'raw', max_error: 0, complete_until: null, took_ms: 1, truncated: false },
});

/**
 * @param {string|null} country
 * @param {string|null} cdn
 * @param {number} runs
 * @param {number} bad
 * @param {number} [ttfb]
 */
const cell = (country, cdn, runs, bad, ttfb = 100) =>
  [country, cdn, runs, bad, 0, runs ? (runs - bad) / runs : null, 600, 640 + ttfb, ...PHASES.map((p) => (p.name === 'segment_ttfb' ? ttfb : 50))];

/** @param {(string|number|null)[][]} values */
const matrix = (...values) => toMatrix(rows(COLUMNS, values), []);

for (const [runs, bad, want] of /** @type {[number, number, string][]} */ ([
  [0, 0, 'none'], [100, 0, 'good'], [1000, 1, 'good'], [1000, 2, 'warn'], [100, 1, 'warn'], [1, 1, 'warn'], [2, 2, 'bad'],
  [200, 2, 'warn'], [199, 2, 'bad'],
])) {
  test(`${bad} bad of ${runs} runs: ${want}`, () => assert.equal(stateOf(runs, bad, runs ? (runs - bad) / runs : null), want));
}

test('a combination without runs is there and empty', () => {
  const m = toMatrix(rows(COLUMNS, [cell('BR', 'b', 10, 0), cell('DE', 'a', 10, 0)]), rows(['country', 'cdn', 'runs'], [['ZA', 'a', 7]]));
  assert.deepEqual(m.countries, ['BR', 'DE', 'ZA']);
  assert.deepEqual(m.cdns, ['a', 'b']);
  assert.deepEqual(m.cells.map((c) => `${c.country} ${c.cdn} ${c.state} ${c.runs}`),
    ['BR a none 0', 'BR b good 10', 'DE a good 10', 'DE b none 0', 'ZA a none 0', 'ZA b none 0']);
});

test('runs without country or CDN come last', () => {
  const m = matrix(cell(null, 'a', 10, 0), cell('US', null, 10, 0));
  assert.deepEqual([m.countries, m.cdns], [['US', '-'], ['a', '-']]);
});

test('red comes before amber, however low the share', () => {
  const { cells } = matrix(cell('BR', 'a', 1, 1), cell('DE', 'a', 100, 3), cell('US', 'a', 10, 0));
  assert.equal(worst(cells)?.country, 'DE');
  assert.equal(worst(matrix(cell('US', 'a', 10, 0)).cells), undefined);
});

test('time lost is compared with the same country through other CDNs, weighted by runs', () => {
  const { cells } = matrix(cell('BR', 'a', 30, 0, 100), cell('BR', 'b', 10, 6, 2500), cell('BR', 'c', 10, 0, 200), cell('DE', 'b', 10, 0, 900));
  const ill = cells.find((c) => c.state === 'bad');
  assert.ok(ill);
  assert.deepEqual(lostIn(ill, cells), { label: 'segment first byte', ms: 2500 - (30 * 100 + 10 * 200) / 40, than: 'against other CDNs there' });
});

test('a country that is ill through all its CDNs is compared with other countries', () => {
  const { cells } = matrix(cell('BR', 'a', 10, 5, 2000), cell('BR', 'b', 10, 6, 2100), cell('DE', 'b', 10, 0, 100), cell('DE', 'a', 10, 0, 300));
  const ill = worst(cells);
  assert.ok(ill);
  assert.deepEqual(lostIn(ill, cells), { label: 'segment first byte', ms: 2000, than: 'against b elsewhere' });
});

test('alone there is nothing to compare with', () => {
  const { cells } = matrix(cell('BR', 'a', 10, 5, 2000));
  assert.equal(lostIn(/** @type {import('../static/js/cells.js').Cell} */ (cells[0]), cells), null);
});

test('headline: bad', () => {
  const { cells } = matrix(cell('BR', 'a', 100, 0), cell('BR', 'b', 100, 57, 2500), cell('DE', 'a', 100, 4), cell('DE', 'b', 0, 0));
  const errors = rows(['error_type', 'error_step', 'runs'], [['timeout', 'segment', 40]]);
  assert.deepEqual(headline(cells, errors), {
    state: 'bad',
    place: 'Brazil · b',
    text: '43 % good (57 of 100 runs bad), 40 timeout at segment, TTFF p95 3.14 s, segment first byte +2.40 s against other CDNs there; ' +
      '1 more cell red; 1 without data',
  });
});

test('headline: below the objective', () => {
  const { cells } = matrix(cell('BR', 'a', 100, 0), cell('BR', 'b', 100, 1));
  assert.equal(headline(cells, []).state, 'warn');
  assert.match(headline(cells, []).text, /^99\.0 % good \(1 of 100 runs bad\), TTFF p95 740 ms$/);
});

test('headline: good, and nothing at all', () => {
  assert.deepEqual(headline(matrix(cell('BR', 'a', 9, 0), cell('DE', 'a', 9, 0)).cells, []),
    { state: 'good', place: '', text: 'All 2 cells meet the objective' });
  assert.deepEqual(headline(matrix(cell('BR', 'a', 9, 0), cell('DE', 'b', 9, 0)).cells, []),
    { state: 'good', place: '', text: 'All 2 cells meet the objective; 2 without data' });
  assert.deepEqual(headline([], []), { state: 'none', place: '', text: 'No runs in this range' });
});

test('errors in words', () => {
  assert.equal(errorName('http_5xx', 'playback_api'), 'HTTP 5xx at playback api');
  assert.equal(errorName('no_keyframe', null), 'no keyframe');
});
