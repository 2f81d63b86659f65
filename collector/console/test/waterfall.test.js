import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startOf } from '../static/js/badruns.js';
import { bars, labelSide, marks, phases, pieces, spanOf, ticks } from '../static/js/waterfall.js';

/** @param {object} fields */
const request = (fields) => ({ name: 'segment', url: 'https://cdn.example/a/b.m4s?t=1', start_ms: 100, end_ms: 300, ...fields });

/** @param {object} fields */
const drawn = (fields) => pieces(request(fields)).map((p) => `${p.kind} ${p.start}+${p.ms}`);

test('the pieces of a request fill it from start to end', () => {
  assert.deepEqual(drawn({ queue_ms: 10, dns_ms: 20, connect_ms: 30, tls_ms: 40, wait_ms: 60, receive_ms: 40 }),
    ['queue 100+10', 'dns 110+20', 'connect 130+30', 'tls 160+40', 'wait 200+60', 'receive 260+40']);
});

test('what is left is sending, before the answer is waited for', () => {
  assert.deepEqual(drawn({ connect_ms: 50, wait_ms: 100, receive_ms: 20 }), ['connect 100+50', 'send 150+30', 'wait 180+100', 'receive 280+20']);
});

test('a request that got no answer ends with the time until it was given up', () => {
  const list = pieces(request({ dns_ms: 50, error_type: 'timeout' }));
  assert.deepEqual(list.map((p) => `${p.label} ${p.start}+${p.ms}`), ['DNS 100+50', 'until given up 150+150']);
});

test('a wait is one piece', () => {
  assert.deepEqual(pieces({ name: 'wait_live', start_ms: 5, end_ms: 9 }), [{ kind: 'idle', label: 'wait', start: 5, ms: 4 }]);
});

test('the step that the run failed of is the last failed one of that name', () => {
  const steps = [request({ error_type: 'reset', attempt: 1 }), request({ error_type: 'timeout', attempt: 2 }), request({ name: 'init' })];
  const list = bars({ ok: false, error_step: 'segment', steps });
  assert.deepEqual(list.map((b) => [b.failed, b.fatal]), [[true, false], [true, true], [false, false]]);
  assert.deepEqual(list.map((b) => b.what), ['b.m4s', 'b.m4s (attempt 2)', 'b.m4s']);
  assert.ok(bars({ ok: true, error_step: null, steps }).every((b) => !b.fatal));
});

test('a label stands where there is room', () => {
  const side = (/** @type {number} */ start_ms, /** @type {number} */ end_ms) => labelSide({ name: 'segment', start_ms, end_ms }, 1000);
  assert.deepEqual([side(0, 750), side(990, 1000), side(140, 1000), side(100, 1000)], ['after', 'before', 'before', 'on']);
});

test('the axis reaches to whatever ends last', () => {
  assert.equal(spanOf({ duration_ms: 200, ttff_ms: 180, startup_ms: 900, steps: [request({})] }), 900);
  assert.equal(spanOf({ duration_ms: 0, steps: [] }), 1);
});

test('keyframe and first frame are marked in order; a failure is too', () => {
  assert.deepEqual(marks({ ok: true, ttff_ms: 600, first_keyframe_ms: 550 }).map((m) => [m.label, m.at]), [['keyframe', 550], ['first frame', 600]]);
  assert.deepEqual(marks({ ok: false, ttff_ms: null, duration_ms: 4000 }).map((m) => [m.name, m.at]), [['failed', 4000]]);
});

test('phases that did not occur are left out, and the others add up', () => {
  const { list, sum } = phases({ dns_ms: 10, tls_ms: 0, segment_ms: 30.5 });
  assert.deepEqual(list.map((p) => p.name), ['dns', 'segment']);
  assert.equal(sum, 40.5);
});

test('ticks are round', () => {
  assert.deepEqual(ticks(6650, 5), [0, 2000, 4000, 6000]);
  assert.deepEqual(ticks(640, 5), [0, 200, 400, 600]);
  assert.deepEqual(ticks(1, 5), [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]);
});

test('an id tells when its run started', () => {
  const at = Date.UTC(2026, 10, 23, 10, 44, 23, 7);
  assert.equal(startOf(at.toString(16).padStart(12, '0') + 'f'.repeat(20)), at);
});
