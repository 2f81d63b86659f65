import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isLive, parseDuration, parseTime, parseView, UNKNOWN, viewAddress } from '../static/js/address.js';

test('the default view has a bare address', () => {
  const v = parseView('');
  assert.deepEqual(v, {
    from: 'now-1h', to: 'now', target: null, app: null, appVersion: null, country: null, cdn: null, run: null, tz: 'utc', wall: false,
  });
  assert.equal(viewAddress(v), './');
  assert.ok(isLive(v));
});

test('a view survives its address', () => {
  const v = {
    ...parseView(''), from: '2026-11-23T10:00:00Z', to: '2026-11-23T11:00:00Z', target: 'news & more', app: 'web', appVersion: '5.2.0+1',
    country: 'BR', cdn: UNKNOWN, run: '0123456789abcdef0123456789abcdef', tz: /** @type {const} */ ('local'), wall: true,
  };
  const address = viewAddress(v);
  assert.deepEqual(parseView(new URL(address, 'http://collector/').search), v);
  assert.ok(!isLive(v));
});

test('what is no run id, zone or flag is not taken', () => {
  const v = parseView('?run=../../x&tz=mars&wall=yes&from=&cdn=');
  assert.deepEqual([v.run, v.tz, v.wall, v.from, v.cdn], [null, 'utc', false, 'now-1h', null]);
});

for (const [text, want] of /** @type {[string, number][]} */ ([
  ['5m', 300_000], ['1h30m', 5_400_000], ['2d', 172_800_000], ['1w', 604_800_000], ['90000000ms', 90_000_000], ['1s5ms', 1005],
  ['', NaN], ['5', NaN], ['h', NaN], ['5 m', NaN], ['-5m', NaN],
])) {
  test(`duration ${JSON.stringify(text)}`, () => assert.equal(parseDuration(text), want));
}

test('times', () => {
  const now = Date.UTC(2026, 10, 23, 12);
  assert.equal(parseTime('now', now), now);
  assert.equal(parseTime('now-1h', now), now - 3_600_000);
  assert.equal(parseTime('2026-11-23T11:59:59.5Z', now), now - 500);
  assert.ok(Number.isNaN(parseTime('yesterday', now)));
});
