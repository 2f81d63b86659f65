// The list of the latest failed or slow runs.

import { el, fill } from './dom.js';
import { num, text } from './api.js';
import { UNKNOWN, viewAddress } from './address.js';
import { errorName } from './cells.js';
import { LIST_LENGTH } from './questions.js';
import { PHASES } from './phases.js';
import { cdnName, clock, countryName, day, ms, zoneName } from './format.js';

/**
 * @typedef {import('./address.js').View} View
 * @typedef {import('./api.js').Row} Row
 */

/**
 * When a run of that id started, in Unix milliseconds: an id begins with it.
 * @param {string} id
 */
export const startOf = (id) => parseInt(id.slice(0, 12), 16);

/**
 * Why a run is in the list.
 * @param {Row} row
 */
export function reason(row) {
  const type = text(row, 'error_type');
  if (type !== null) return errorName(type, text(row, 'error_step'));
  const longest = PHASES.map((p) => ({ label: p.label, ms: num(row, `${p.field}_avg`) ?? 0 })).reduce((a, b) => (b.ms > a.ms ? b : a));
  return `slow: ${ms(longest.ms)} in ${longest.label}`;
}

/**
 * Shows the list; it is left alone while nothing changes.
 * @param {HTMLElement} place
 * @param {Row[]} rows
 * @param {View} view
 */
export function showBadRuns(place, rows, view) {
  const shown = JSON.stringify([rows.map((r) => text(r, 'run_id')), viewAddress(view)]);
  if (place.dataset.shown === shown) return;
  place.dataset.shown = shown;
  if (rows.length === 0) {
    fill(place, el('p', { class: 'empty' }, 'None in this range.'));
    return;
  }
  const focused = document.activeElement instanceof HTMLAnchorElement ? document.activeElement.dataset.run : undefined;
  const first = startOf(text(rows[0] ?? new Map(), 'run_id') ?? '');
  const days = new Set(rows.map((r) => day(startOf(text(r, 'run_id') ?? ''), view.tz)));
  const zone = zoneName(first, view.tz);
  const head = ['Started', 'Country', 'CDN', 'Target', 'App', 'Why', 'TTFF'];
  fill(place,
    el('table', { class: 'list' },
      el('thead', {}, el('tr', {}, ...head.map((h, i) => el('th', { scope: 'col' }, i === 0 ? `${h}, ${zone}` : h)))),
      el('tbody', {}, ...rows.map((r) => line(r, view, days.size > 1)))),
    rows.length >= LIST_LENGTH ? el('p', { class: 'note' }, `The latest ${LIST_LENGTH}. Choose a cell or a shorter range to see others.`) : null);
  if (focused) /** @type {HTMLElement|null} */ (place.querySelector(`a[data-run="${focused}"]`))?.focus();
}

/**
 * @param {Row} row
 * @param {View} view
 * @param {boolean} withDay
 */
function line(row, view, withDay) {
  const id = text(row, 'run_id') ?? '';
  const at = startOf(id);
  const failed = text(row, 'error_type') !== null;
  const link = el('a', { href: viewAddress({ ...view, run: id }), 'data-nav': true, 'data-run': id, title: `Run ${id}` },
    `${withDay ? `${day(at, view.tz)} ` : ''}${clock(at, view.tz)}`);
  const app = [text(row, 'app'), text(row, 'app_version')].filter((t) => t !== null).join(' ');
  return el('tr', { 'data-run': id, 'data-kind': failed ? 'failed' : 'slow' },
    el('td', {}, link),
    el('td', {}, countryName(text(row, 'country') ?? UNKNOWN)),
    el('td', {}, cdnName(text(row, 'cdn') ?? UNKNOWN)),
    el('td', {}, text(row, 'target') ?? '–'),
    el('td', {}, app || '–'),
    el('td', { class: 'why' }, el('span', { class: 'mark', 'aria-hidden': 'true' }), reason(row)),
    el('td', { class: 'number' }, failed ? `failed after ${ms(num(row, 'duration_ms_avg'))}` : ms(num(row, 'ttff_ms_avg'))));
}
