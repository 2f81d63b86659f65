// What the page asks the collector for a view.

import { parseTime, UNKNOWN } from './address.js';
import { text } from './api.js';
import { PHASE_MEASURES } from './phases.js';

/**
 * @typedef {import('./address.js').View} View
 * @typedef {import('./api.js').Request} Request
 * @typedef {import('./api.js').Cond} Cond
 */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Bucket widths, and how the API writes them. @type {[number, string][]} */
const STEPS = [
  [5_000, '5s'], [15_000, '15s'], [30_000, '30s'], [MINUTE, '1m'], [2 * MINUTE, '2m'], [5 * MINUTE, '5m'],
  [10 * MINUTE, '10m'], [15 * MINUTE, '15m'], [30 * MINUTE, '30m'], [HOUR, '1h'], [2 * HOUR, '2h'], [6 * HOUR, '6h'],
  [12 * HOUR, '12h'], [DAY, '1d'], [2 * DAY, '2d'], [7 * DAY, '1w'],
];

/** At most so many points in a chart. */
const MAX_POINTS = 75;

/** How long before the range a cell is remembered as one that has runs. */
const MEMORY = DAY;

/** The API's longest range. */
const MAX_RANGE = 400 * DAY;

/** Rows of the list of bad runs. */
export const LIST_LENGTH = 50;

/**
 * The width of a chart's buckets for a range in milliseconds.
 * @param {number} range
 */
export function stepFor(range) {
  const step = STEPS.find(([width]) => range / width <= MAX_POINTS);
  return (step ?? /** @type {[number, string]} */ (STEPS.at(-1)))[1];
}

/**
 * The cells of the matrix: not narrowed by the chosen cell.
 * @param {View} v
 * @returns {Request}
 */
export const matrixQuestion = (v) => ({
  from: v.from,
  to: v.to,
  group_by: ['country', 'cdn'],
  measures: ['good', 'bad', 'failed', 'sli', 'ttff_ms_p50', 'ttff_ms_p95', 'interval_ms_p95', ...PHASE_MEASURES],
  where: filters(v),
  limit: 10_000,
});

/**
 * The cells that had runs lately, whatever is filtered for: those that have
 * none now are shown as such instead of being left out.
 * @param {View} v
 * @param {number} now
 * @returns {Request}
 */
export const knownQuestion = (v, now) => ({ ...longer(v, now), group_by: ['country', 'cdn'], measures: [], where: [], limit: 10_000 });

/**
 * What can be filtered for.
 * @param {View} v
 * @param {number} now
 * @returns {Request}
 */
export const choicesQuestion = (v, now) => ({ ...longer(v, now), group_by: ['target', 'app', 'app_version'], measures: [], where: [], limit: 1000 });

/**
 * The charts.
 * @param {View} v
 * @param {number} now
 * @returns {Request}
 */
export const seriesQuestion = (v, now) => ({
  from: v.from,
  to: v.to,
  step: stepFor(parseTime(v.to, now) - parseTime(v.from, now)),
  measures: ['availability', 'sli', 'bad', 'ttff_ms_p50', 'ttff_ms_p95', 'threshold_ms_avg', ...PHASE_MEASURES],
  where: [...filters(v), ...cell(v)],
});

/**
 * The latest bad runs. Ids begin with the time of the run's start, so they sort by it.
 * @param {View} v
 * @returns {Request}
 */
export const badRunsQuestion = (v) => ({
  from: v.from,
  to: v.to,
  group_by: ['run_id', 'country', 'cdn', 'target', 'app', 'app_version', 'error_type', 'error_step'],
  measures: ['ttff_ms_avg', 'duration_ms_avg', ...PHASE_MEASURES],
  where: [...filters(v), ...cell(v), { dim: 'good', op: 'eq', values: ['false'] }],
  order_by: { measure: 'run_id', desc: true },
  limit: LIST_LENGTH,
});

/**
 * What the failed runs of one cell failed of, most frequent first.
 * @param {View} v
 * @param {{country: string, cdn: string}} at
 * @returns {Request}
 */
export const errorsQuestion = (v, at) => ({
  from: v.from,
  to: v.to,
  group_by: ['error_type', 'error_step'],
  measures: [],
  where: [...filters(v), ...cell(at), { dim: 'ok', op: 'eq', values: ['false'] }],
  limit: 3,
});

/** How long after its start a bucket has begun to tell the truth: slow runs come later than fast ones. */
const SETTLE = 10_000;

/**
 * A series without the buckets at its end that have only begun: they hold the
 * fast runs and not yet the slow ones.
 * @param {import('./api.js').Row[]} rows
 * @param {number} now
 */
export const withoutOpenEnd = (rows, now) => rows.filter((row) => !(Date.parse(text(row, 'time') ?? '') > now - SETTLE));

/** Whether the collector is there and until when it has data. @type {Request} */
export const pulseQuestion = { from: 'now-1m', to: 'now', measures: [], where: [] };

/** @param {View} v */
function filters(v) {
  return [...condition('target', v.target), ...condition('app', v.app), ...condition('app_version', v.appVersion)];
}

/** @param {{country: string|null, cdn: string|null}} at */
function cell(at) {
  return [...condition('country', at.country), ...condition('cdn', at.cdn)];
}

/**
 * @param {string} dim
 * @param {string|null} value
 * @returns {Cond[]}
 */
function condition(dim, value) {
  if (value === null) return [];
  return [value === UNKNOWN ? { dim, op: 'exists', values: ['false'] } : { dim, op: 'eq', values: [value] }];
}

/**
 * The view's range, begun MEMORY earlier.
 * @param {View} v
 * @param {number} now
 */
function longer(v, now) {
  const [from, to] = [parseTime(v.from, now), parseTime(v.to, now)];
  if (Number.isNaN(from) || Number.isNaN(to)) return { from: v.from, to: v.to };
  const start = Math.max(from - MEMORY, to - MAX_RANGE + MINUTE);
  return { from: v.from.startsWith('now') ? `now-${Math.round(now - start)}ms` : new Date(start).toISOString(), to: v.to };
}
