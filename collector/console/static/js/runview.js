// One run: what came of it, its waterfall, its phases, all its fields.

import { el, fill } from './dom.js';
import { UNKNOWN, viewAddress } from './address.js';
import { errorName } from './cells.js';
import { bars, labelSide, marks, numberOf, phases, pieces, spanOf, stepsOf, textOf, ticks } from './waterfall.js';
import { bytes, cdnName, clock, countryName, day, ms, zoneName } from './format.js';

/**
 * @typedef {import('./address.js').View} View
 * @typedef {import('./waterfall.js').Run} Run
 * @typedef {import('./waterfall.js').Bar} Bar
 * @typedef {import('./waterfall.js').Step} Step
 */

/** The colours of the waterfall. @type {[string, string][]} */
const KINDS = [
  ['queue', 'queue'], ['dns', 'DNS'], ['connect', 'connect'], ['tls', 'TLS'], ['send', 'send'], ['wait', 'first byte'],
  ['receive', 'receive'], ['idle', 'wait'],
];

/**
 * Shows a run.
 * @param {HTMLElement} place
 * @param {Run} run
 * @param {View} view
 */
export function showRun(place, run, view) {
  const ok = run.ok === true;
  const good = run.good === true;
  const verdict = !ok ? `Failed: ${errorName(textOf(run, 'error_type'), textOf(run, 'error_step'))}`
    : `${good ? 'Good' : 'Slow'}: first frame after ${ms(numberOf(run, 'ttff_ms'))}`;
  const detail = textOf(run, 'error_detail');
  fill(place,
    back(view),
    el('h1', { class: 'headline', 'data-state': good ? 'good' : ok ? 'warn' : 'bad' }, el('span', { class: 'mark', 'aria-hidden': 'true' }), verdict),
    detail ? el('p', { class: 'detail' }, detail) : null,
    facts(run, view),
    el('section', { class: 'card', 'aria-labelledby': 'waterfall-title' },
      el('h2', { id: 'waterfall-title' }, 'Waterfall'), waterfall(run)),
    el('section', { class: 'card', 'aria-labelledby': 'phases-title' },
      el('h2', { id: 'phases-title' }, 'Phases of the critical path'), phaseBar(run)),
    el('details', { class: 'card fields' }, el('summary', {}, 'All fields'), fields(run)));
}

/**
 * Says why there is no run to show.
 * @param {HTMLElement} place
 * @param {string} message
 * @param {View} view
 */
export function showNoRun(place, message, view) {
  fill(place, back(view), el('h1', { class: 'headline', 'data-state': 'none' }, message));
}

/** @param {View} view */
const back = (view) => el('p', {}, el('a', { href: viewAddress({ ...view, run: null }), 'data-nav': true, class: 'back' }, '← All runs'));

/**
 * @param {Run} run
 * @param {View} view
 */
function facts(run, view) {
  const at = Date.parse(textOf(run, 'started_at') ?? '');
  const asn = numberOf(run, 'asn');
  /** @type {[string, string|null][]} */
  const list = [
    ['Started', Number.isNaN(at) ? null : `${day(at, view.tz)} ${clock(at, view.tz)} ${zoneName(at, view.tz)}`],
    ['From', [countryName(textOf(run, 'country') ?? UNKNOWN), textOf(run, 'city'), asn === null ? null : `AS${asn}`].filter(Boolean).join(', ')],
    ['Agent', textOf(run, 'agent')],
    ['Target', textOf(run, 'target')],
    ['CDN', cdnName(textOf(run, 'cdn') ?? UNKNOWN)],
    ['POP', [textOf(run, 'pop'), textOf(run, 'pop_city'), textOf(run, 'pop_country')].filter(Boolean).join(', ') || null],
    ['Cache', cache(run)],
    ['App', [textOf(run, 'app'), textOf(run, 'app_version'), textOf(run, 'player')].filter(Boolean).join(' ') || null],
    ['Keyframe', ms(numberOf(run, 'first_keyframe_ms'))],
    ['Threshold', ms(numberOf(run, 'threshold_ms'))],
  ];
  return el('dl', { class: 'facts' },
    ...list.filter(([, v]) => v !== null && v !== '–').map(([k, v]) => el('div', {}, el('dt', {}, k), el('dd', {}, v))));
}

/** @param {Run} run */
function cache(run) {
  const [manifest, segment] = [textOf(run, 'manifest_cache_status'), textOf(run, 'segment_cache_status')];
  if (!manifest && !segment) return null;
  return `manifest ${manifest ?? 'unknown'}, segment ${segment ?? 'unknown'}`.replaceAll('_', ' ');
}

/** @param {Run} run */
function waterfall(run) {
  const note = run.steps_expired === true
    ? el('p', { class: 'empty', id: 'steps-expired' }, 'Steps expired: the log that held them is kept no longer. The phases and all fields below are.')
    : null;
  if (stepsOf(run).length === 0) return note ?? el('p', { class: 'empty' }, 'No steps: the run ended before its first request.');
  const span = spanOf(run);
  const list = bars(run);
  const used = new Set(list.flatMap((bar) => bar.pieces.map((p) => p.kind)));
  const lanes = el('div', { class: 'lanes', 'aria-hidden': 'true' },
    ...ticks(span, 5).map((t) => at(el('span', { class: 'tick' }, el('span', {}, ms(t))), t, span)),
    ...marks(run).map((m) => at(el('span', { class: 'instant', 'data-mark': m.name }), m.at, span)));
  return el('div', { class: 'waterfall' },
    note,
    el('ul', { class: 'legend kinds' },
      ...KINDS.filter(([kind]) => used.has(kind)).map(([kind, name]) => el('li', {}, el('span', { class: 'swatch', 'data-kind': kind }), name))),
    el('ul', { class: 'legend marks' },
      ...marks(run).map((m) => el('li', {}, el('span', { class: 'swatch', 'data-mark': m.name }), `${m.label} at ${ms(m.at)}`))),
    el('div', { class: 'rows' }, lanes, ...list.map((bar) => row(bar, span))));
}

/**
 * @param {Bar} bar
 * @param {number} span
 */
function row({ step, label, what, pieces: list, failed, fatal }, span) {
  const side = labelSide(step, span);
  const track = el('span', { class: 'track' },
    ...list.map((p) => {
      const node = at(el('span', { class: 'piece', 'data-kind': p.kind, title: `${p.label} ${ms(p.ms)}` }), p.start, span);
      node.style.width = `${(100 * p.ms) / span}%`;
      return node;
    }),
    at(el('span', { class: 'took', 'data-side': side }, ms(step.end_ms - step.start_ms), failed ? ` ${errorName(step.error_type ?? null, null)}` : ''),
      side === 'before' ? step.start_ms : step.end_ms, span));
  return el('details', { class: 'step', 'data-step': step.name, 'data-failed': failed, 'data-fatal': fatal },
    el('summary', {}, el('span', { class: 'name' }, el('b', {}, label), ' ', el('span', { class: 'what' }, what)), track),
    stepDetails(step));
}

/**
 * Puts a node at an instant of the axis.
 * @template {HTMLElement} T
 * @param {T} node
 * @param {number} instant
 * @param {number} span
 */
function at(node, instant, span) {
  node.style.left = `${(100 * instant) / span}%`;
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

/** @param {Run} run */
function phaseBar(run) {
  const { list, sum } = phases(run);
  const total = run.ok === true ? 'first frame' : 'failure';
  if (list.length === 0) return el('p', { class: 'empty' }, 'No time was spent.');
  return el('div', { class: 'phases' },
    el('div', { class: 'stack', 'aria-hidden': 'true' },
      ...list.map((p) => {
        const node = el('span', { 'data-phase': p.name, title: `${p.label} ${ms(p.ms)}` });
        node.style.flexGrow = String(p.ms);
        return node;
      })),
    el('ul', { class: 'legend' },
      ...list.map((p) => el('li', {}, el('span', { class: 'swatch', 'data-phase': p.name }), `${p.label} `, el('b', {}, ms(p.ms)))),
      el('li', { class: 'sum' }, 'press play to ', total, ' ', el('b', {}, ms(sum)))));
}

/** @param {Run} run */
function fields(run) {
  const rows = Object.entries(run).filter(([name]) => name !== 'steps' && name !== 'steps_expired').map(([name, value]) =>
    el('tr', {}, el('th', { scope: 'row' }, name),
      el('td', {}, value === null ? el('span', { class: 'null' }, 'not known') : typeof value === 'object' ? JSON.stringify(value) : String(value))));
  return el('div', { class: 'scroll' }, el('table', {}, el('tbody', {}, ...rows)));
}
