// One run: what came of it, its waterfall, its phases, all its fields.

import { el, fill } from './dom.js';
import { UNKNOWN, viewAddress } from './address.js';
import { errorName } from './cells.js';
import { numberOf, phases, textOf } from './waterfall.js';
import { waterfall } from './waterfallview.js';
import { cdnName, clock, countryName, day, ms, zoneName } from './format.js';

/**
 * @typedef {import('./address.js').View} View
 * @typedef {import('./waterfall.js').Run} Run
 */

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
