import assert from 'node:assert/strict';
import { test } from 'node:test';

import { startOf } from '../static/js/badruns.js';
import { acts, bars, labelSide, marks, phases, pieces, playing, share, ticks } from '../static/js/waterfall.js';

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
  const stall = { name: 'wait_stall', track: 'video', start_ms: 5, end_ms: 9 };
  assert.deepEqual(pieces(stall), [{ kind: 'stall', label: 'stall', start: 5, ms: 4 }]);
  assert.equal(bars({ steps: [stall] })[0].label, 'stall · video');
});

test('the step that the run failed of is the last failed one of that name', () => {
  const steps = [request({ error_type: 'reset', attempt: 1 }), request({ error_type: 'timeout', attempt: 2 }), request({ name: 'init' })];
  const list = bars({ ok: false, error_step: 'segment', steps });
  assert.deepEqual(list.map((b) => [b.failed, b.fatal]), [[true, false], [true, true], [false, false]]);
  assert.deepEqual(list.map((b) => b.what), ['b.m4s', 'b.m4s (attempt 2)', 'b.m4s']);
  assert.ok(bars({ ok: true, error_step: null, steps }).every((b) => !b.fatal));
});

test('a label stands where there is room', () => {
  const side = (/** @type {number} */ start_ms, /** @type {number} */ end_ms) => labelSide({ name: 'segment', start_ms, end_ms }, { from: 0, to: 1000 });
  assert.deepEqual([side(0, 750), side(990, 1000), side(140, 1000), side(100, 1000)], ['after', 'before', 'before', 'on']);
});

test('the axis reaches to whatever ends last', () => {
  const end = (/** @type {object} */ run) => acts({ ...run }).start.axis.to;
  assert.equal(end({ duration_ms: 200, ttff_ms: 180, startup_ms: 900, steps: [request({})] }), 900);
  assert.equal(end({ duration_ms: 0, steps: [] }), 1);
});

test('what lies beyond the axis is at its end', () => {
  assert.deepEqual([400, 500, 750, 1500, 1600].map((at) => share(at, { from: 500, to: 1500 })), [0, 0, 0.25, 1, 1]);
});

/** A run that stood still twice while playing on; of its steps the first to begin is not the first. */
const played = {
  ok: true, ttff_ms: 400, startup_ms: 500, first_keyframe_ms: 350, duration_ms: 9500, played_ms: 8000, stalls: 2, stall_ms: 1000,
  steps: [
    { name: 'wait_stall', start_ms: 5000, end_ms: 5400 }, { name: 'wait_stall', start_ms: 2000, end_ms: 2600 },
    request({ start_ms: 0, end_ms: 350 }), request({ start_ms: 450, end_ms: 1500 }), request({ start_ms: 500, end_ms: 4000 }),
  ],
};

test('a run that played on falls in two where playback started', () => {
  const { start, on } = acts(played);
  assert.deepEqual([start.bars.map((b) => b.step.start_ms), start.axis, start.marks.map((m) => m.name)], [[0, 450], { from: 0, to: 500 }, ['first_keyframe', 'ttff']]);
  assert.deepEqual([on?.bars.map((b) => b.step.start_ms), on?.axis, on?.marks], [[500, 2000, 5000], { from: 500, to: 9500 }, []]);
});

test('one that did not is whole, and one that broke off has its failure in what followed', () => {
  assert.equal(acts({ ...played, played_ms: null }).on, null);
  assert.equal(acts({ ...played, played_ms: null }).start.bars.length, 5);
  assert.equal(acts({ ...played, ttff_ms: null }).on, null);
  const { start, on } = acts({ ...played, ok: false });
  assert.deepEqual([start.marks.length, on?.marks.map((m) => m.name)], [2, ['failed']]);
});

test('playing and stalls fill the time from start to end', () => {
  const { on } = acts(played);
  assert.ok(on);
  assert.deepEqual(playing(on).map((p) => `${p.kind} ${p.start}+${p.ms}`),
    ['playing 500+1500', 'stall 2000+600', 'playing 2600+2400', 'stall 5000+400', 'playing 5400+4100']);
});

test('the start ends with the picture, and a stall before it is not of the start', () => {
  const { start, on } = acts({ ...played, ttff_ms: 2300 });
  assert.ok(on);
  assert.deepEqual([start.marks.map((m) => m.name), start.axis], [['first_keyframe', 'ttff'], { from: 0, to: 2300 }]);
  assert.deepEqual(start.bars.map((b) => b.step.name), ['segment', 'segment', 'segment']);
  assert.deepEqual(playing(on).map((p) => `${p.kind} ${p.start}+${p.ms}`),
    ['stall 2300+300', 'playing 2600+2400', 'stall 5000+400', 'playing 5400+4100']);
});

test('a stall that is over before the picture came is not drawn', () => {
  const { on } = acts({ ...played, ttff_ms: 2800 });
  assert.ok(on);
  assert.deepEqual(playing(on).map((p) => `${p.kind} ${p.start}+${p.ms}`), ['playing 2800+2200', 'stall 5000+400', 'playing 5400+4100']);
});

test('no axis is without a length', () => {
  const { start, on } = acts({ ttff_ms: 0, startup_ms: 0, duration_ms: 0, played_ms: 0, steps: [] });
  assert.deepEqual([start.axis, on?.axis], [{ from: 0, to: 1 }, { from: 1, to: 2 }]);
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
  assert.deepEqual(ticks({ from: 0, to: 6650 }, 5), [0, 2000, 4000, 6000]);
  assert.deepEqual(ticks({ from: 0, to: 640 }, 5), [0, 200, 400, 600]);
  assert.deepEqual(ticks({ from: 0, to: 1 }, 5), [0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]);
  assert.deepEqual(ticks({ from: 620, to: 9400 }, 5), [2000, 4000, 6000, 8000]);
});

test('an id tells when its run started', () => {
  const at = Date.UTC(2026, 10, 23, 10, 44, 23, 7);
  assert.equal(startOf(at.toString(16).padStart(12, '0') + 'f'.repeat(20)), at);
});
