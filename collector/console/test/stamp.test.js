import assert from 'node:assert/strict';
import { test } from 'node:test';

import { reason } from '../static/js/badruns.js';
import { isLate } from '../static/js/stamp.js';

for (const [age, interval, want] of /** @type {[number, number, boolean][]} */ ([
  [59_000, 0, false], [61_000, 0, true], [61_000, 31_000, false], [119_000, 60_000, false], [121_000, 60_000, true], [-5_000, 0, false],
])) {
  test(`data of ${age / 1000} s ago, one run each ${interval / 1000} s`, () => assert.equal(isLate(1e12 - age, 1e12, interval), want));
}

test('why a run is in the list', () => {
  /** @param {Record<string, string|number|null>} fields */
  const row = (fields) => new Map(Object.entries(fields));
  assert.equal(reason(row({ error_type: 'http_5xx', error_step: 'manifest' })), 'HTTP 5xx at manifest');
  assert.equal(reason(row({ error_type: null, dns_ms_avg: 10, segment_ttfb_ms_avg: 2500, player_ms_avg: 30 })), 'slow: 2.50 s in segment first byte');
});
