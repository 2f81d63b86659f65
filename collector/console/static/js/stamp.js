// Until when there is data, and since when there is no answer.

import { byId, setText } from './dom.js';
import { ago, moment } from './format.js';

/** @typedef {import('./format.js').Zone} Zone */

/** Data older than this is late, or older than two intervals of the plan, in milliseconds. */
const LATE = 60_000;

/**
 * Whether data until that instant is late.
 * @param {number} until
 * @param {number} now
 * @param {number} interval  of the plan, 0 when not known
 */
export const isLate = (until, now, interval) => now - until > Math.max(LATE, 2 * interval);

/**
 * Shows the newest counted run's time.
 * @param {string|null} until  RFC 3339
 * @param {number} now         by the collector's clock
 * @param {number} interval
 * @param {Zone} zone
 * @param {boolean} live
 */
export function showStamp(until, now, interval, zone, live) {
  const node = byId('stamp');
  const at = until === null ? NaN : Date.parse(until);
  const late = live && !Number.isNaN(at) && isLate(at, now, interval);
  node.dataset.late = String(late);
  setText(node, Number.isNaN(at) ? 'no data yet' : `data until ${moment(at, zone, now)}${late ? `, ${ago(now - at)} ago` : ''}`);
}

/**
 * Greys the page out and says since when nobody answers; null: all is well.
 * @param {number|null} since  Unix milliseconds of the last answer, or of the first question
 * @param {Zone} zone
 * @param {string} said  what came in place of an answer
 */
export function showLost(since, zone, said) {
  document.body.classList.toggle('lost', since !== null);
  byId('lost').hidden = since === null;
  if (since === null) return;
  setText(byId('lost-said'), said);
  tickLost(since, zone);
}

/**
 * Counts on.
 * @param {number} since
 * @param {Zone} zone
 */
export function tickLost(since, zone) {
  setText(byId('lost-since'), `no answer from the collector since ${moment(since, zone, Date.now())}`);
  setText(byId('lost-for'), ` (for ${ago(Date.now() - since)})`);
}
