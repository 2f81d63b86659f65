// A run's waterfall: its start row by row; what it did while playing on folded behind
// one row.

import { el } from './dom.js';
import { errorName } from './cells.js';
import { acts, labelSide, numberOf, pieces, playing, share, stepsOf, ticks } from './waterfall.js';
import { bytes, ms, plural } from './format.js';

/**
 * @typedef {import('./waterfall.js').Run} Run
 * @typedef {import('./waterfall.js').Act} Act
 * @typedef {import('./waterfall.js').Axis} Axis
 * @typedef {import('./waterfall.js').Bar} Bar
 * @typedef {import('./waterfall.js').Piece} Piece
 * @typedef {import('./waterfall.js').Step} Step
 */

/** The colours of the waterfall. @type {[string, string][]} */
const KINDS = [
  ['queue', 'queue'], ['dns', 'DNS'], ['connect', 'connect'], ['tls', 'TLS'], ['send', 'send'], ['wait', 'first byte'],
  ['receive', 'receive'], ['idle', 'wait'], ['playing', 'playing'], ['stall', 'stall'],
];

/** @param {Run} run */
export function waterfall(run) {
  const note = run.steps_expired === true
    ? el('p', { class: 'empty', id: 'steps-expired' }, 'Steps expired: the log that held them is kept no longer. The phases and all fields below are.')
    : null;
  if (stepsOf(run).length === 0) return note ?? el('p', { class: 'empty' }, 'No steps: the run ended before its first request.');
  const { start, on } = acts(run);
  const played = on ? playing(on) : [];
  const used = new Set([...start.bars, ...(on?.bars ?? [])].flatMap((bar) => bar.pieces).concat(played).map((p) => p.kind));
  return el('div', { class: 'waterfall' },
    note,
    el('ul', { class: 'legend kinds' },
      ...KINDS.filter(([kind]) => used.has(kind)).map(([kind, name]) => el('li', {}, el('span', { class: 'swatch', 'data-kind': kind }), name))),
    el('ul', { class: 'legend marks' },
      ...[...start.marks, ...(on?.marks ?? [])].map((m) => el('li', {}, el('span', { class: 'swatch', 'data-mark': m.name }), `${m.label} at ${ms(m.at)}`))),
    rows(start),
    on ? playedOn(run, on, played) : null);
}

/**
 * What it did while playing on, unfolded where that is what it failed of.
 * @param {Run} run
 * @param {Act} on
 * @param {Piece[]} played
 */
function playedOn(run, on, played) {
  const asked = on.bars.filter((b) => b.step.url).length;
  return el('details', { class: 'played-on', open: on.bars.some((b) => b.fatal) },
    el('summary', {},
      el('span', { class: 'said' }, el('b', {}, `${asked === 0 ? 'no request' : plural(asked, 'request')} while playing on`), `: ${came(run)}`),
      track(played, on.axis)),
    rows(on));
}

/**
 * What came of playing on.
 * @param {Run} run
 */
function came(run) {
  const [stalls, switches] = [numberOf(run, 'stalls') ?? 0, numberOf(run, 'switches') ?? 0];
  return [
    `${ms(numberOf(run, 'played_ms'))} played`,
    stalls === 0 ? 'no stall' : `${plural(stalls, 'stall')} of ${ms(numberOf(run, 'stall_ms'))}${stalls > 1 ? ' together' : ''}`,
    switches > 0 ? plural(switches, 'switch', 'switches') : null,
    run.ok === false ? 'then it broke off' : null,
  ].filter(Boolean).join(', ');
}

/** @param {Act} act */
function rows({ bars, marks, axis }) {
  const lanes = el('div', { class: 'lanes', 'aria-hidden': 'true' },
    ...ticks(axis, 5).map((t) => at(el('span', { class: 'tick' }, el('span', {}, ms(t))), t, axis)),
    ...marks.map((m) => at(el('span', { class: 'instant', 'data-mark': m.name }), m.at, axis)));
  return el('div', { class: 'rows' }, lanes, ...bars.map((bar) => row(bar, axis)));
}

/**
 * @param {Bar} bar
 * @param {Axis} axis
 */
function row({ step, label, what, pieces: list, failed, fatal }, axis) {
  const side = labelSide(step, axis);
  const took = el('span', { class: 'took', 'data-side': side }, ms(step.end_ms - step.start_ms), failed ? ` ${errorName(step.error_type ?? null, null)}` : '');
  return el('details', { class: 'step', 'data-step': step.name, 'data-failed': failed, 'data-fatal': fatal },
    el('summary', {}, el('span', { class: 'name' }, el('b', {}, label), ' ', el('span', { class: 'what' }, what)),
      track(list, axis, at(took, side === 'before' ? step.start_ms : step.end_ms, axis))),
    stepDetails(step));
}

/**
 * Pieces side by side, as far as they lie on the axis.
 * @param {Piece[]} list
 * @param {Axis} axis
 * @param {...Node} more
 */
function track(list, axis, ...more) {
  return el('span', { class: 'track' },
    ...list.map((p) => {
      const node = at(el('span', { class: 'piece', 'data-kind': p.kind, title: `${p.label} ${ms(p.ms)}` }), p.start, axis);
      node.style.width = `${100 * (share(p.start + p.ms, axis) - share(p.start, axis))}%`;
      return node;
    }),
    ...more);
}

/**
 * Puts a node at an instant of the axis.
 * @template {HTMLElement} T
 * @param {T} node
 * @param {number} instant
 * @param {Axis} axis
 */
function at(node, instant, axis) {
  node.style.left = `${100 * share(instant, axis)}%`;
  return node;
}

/** @param {Step} step */
function stepDetails(step) {
  /** @type {[string, string|null][]} */
  const list = [
    ['URL', step.url ?? null],
    ['Answer', step.status ? `${step.status}, ${bytes(step.bytes ?? 0)}` : null],
    ['Connection', step.remote_address ? `${step.remote_address}${step.protocol ? `, HTTP/${step.protocol}` : ''}${step.reused ? ', reused' : ''}` : null],
    ['Time', `${ms(step.start_ms)} to ${ms(step.end_ms)}`],
    ['Of it', pieces(step).map((p) => `${p.label} ${ms(p.ms)}`).join(', ') || null],
    ['Error', step.error_type ? `${errorName(step.error_type, null)}${step.error ? `: ${step.error}` : ''}` : null],
    ...Object.entries(step.headers ?? {}).map(([name, values]) => /** @type {[string, string]} */ ([name, values.join(', ')])),
  ];
  return el('dl', { class: 'step-details' },
    ...list.filter(([, v]) => v !== null).flatMap(([k, v]) => [el('dt', {}, k), el('dd', {}, v)]));
}
