import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ago, bytes, clock, countryName, day, moment, ms, percent, plural, zoneName } from '../static/js/format.js';

/**
 * @template T
 * @param {string} name
 * @param {(v: T) => string} f
 * @param {[T, string][]} cases
 */
function table(name, f, cases) {
  for (const [value, want] of cases) test(`${name} ${value} is ${want}`, () => assert.equal(f(value), want));
}

table('ms', ms, /** @type {[number|null, string][]} */ ([
  [null, '–'], [0, '0 ms'], [0.254, '0.25 ms'], [7.26, '7.3 ms'], [643.4, '643 ms'], [999.4, '999 ms'], [999.6, '1.00 s'],
  [3014, '3.01 s'], [9_996, '10.0 s'], [30_040, '30.0 s'], [-2400, '-2.40 s'],
]));

// Rounding up to 100 % would hide a bad run.
table('percent', percent, /** @type {[number|null, string][]} */ ([
  [null, '–'], [1, '100 %'], [0.99999, '99.99 %'], [0.9995, '99.95 %'], [0.999, '99.9 %'], [0.99, '99.0 %'], [0.9999999, '99.99 %'],
  [0.43, '43 %'], [0, '0 %'],
]));

table('ago', ago, [[25_000, '25 s'], [-3, '0 s'], [240_000, '4 min'], [7_200_000, '2 h'], [260_000_000, '3 d']]);
table('bytes', bytes, [[999, '999 B'], [41_234, '41.2 kB'], [3_200_000, '3.2 MB']]);
table('country', countryName, [['BR', 'Brazil'], ['-', 'Unknown country'], ['not a code', 'not a code'], ['', '']]);

test('plural', () => assert.deepEqual([plural(1, 'run'), plural(0, 'run'), plural(12_000, 'run')], ['1 run', '0 runs', '12,000 runs']));

test('times in UTC', () => {
  const at = Date.UTC(2026, 10, 23, 4, 5, 6, 789);
  assert.equal(clock(at, 'utc'), '04:05:06');
  assert.equal(day(at, 'utc'), '2026-11-23');
  assert.equal(zoneName(at, 'utc'), 'UTC');
  assert.equal(moment(at, 'utc', at + 1000), '04:05:06 UTC');
  assert.equal(moment(at, 'utc', at + 86_400_000), '2026-11-23 04:05:06 UTC');
});

test('times in the zone of this device', () => {
  const at = Date.UTC(2026, 10, 23, 4, 5, 6);
  const d = new Date(at);
  assert.equal(clock(at, 'local').slice(0, 2), String(d.getHours()).padStart(2, '0'));
  assert.equal(day(at, 'local').slice(8), String(d.getDate()).padStart(2, '0'));
});
