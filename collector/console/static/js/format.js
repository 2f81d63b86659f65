// Numbers, times and names for people. English; times are ISO 8601 in form.

import { UNKNOWN } from './address.js';

/** @typedef {'utc'|'local'} Zone */

const regions = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'code' });

/**
 * A country's English name; codes that are none are shown as they are.
 * @param {string} code
 */
export function countryName(code) {
  if (code === UNKNOWN) return 'Unknown country';
  try {
    return regions.of(code) ?? code;
  } catch {
    return code;
  }
}

/** @param {string} name */
export const cdnName = (name) => (name === UNKNOWN ? 'no CDN' : name);

/**
 * A duration in milliseconds with about three digits.
 * @param {number|null} value
 */
export function ms(value) {
  if (value === null || !Number.isFinite(value)) return '–';
  const abs = Math.abs(value);
  if (abs < 1) return value === 0 ? '0 ms' : `${value.toFixed(2)} ms`;
  if (abs < 10) return `${value.toFixed(1)} ms`;
  if (abs < 999.5) return `${Math.round(value)} ms`;
  if (abs < 9_995) return `${(value / 1000).toFixed(2)} s`;
  return `${(value / 1000).toFixed(1)} s`;
}

/**
 * A ratio as per cent. It is never rounded up to 100 %: that is for all of all.
 * @param {number|null} ratio
 */
export function percent(ratio) {
  if (ratio === null || !Number.isFinite(ratio)) return '–';
  const p = ratio * 100;
  if (p >= 100) return '100 %';
  if (p < 90) return `${Math.round(p)} %`;
  const digits = p > 99.9 ? 2 : 1;
  const unit = 10 ** digits;
  return `${(Math.floor(p * unit + 1e-6) / unit).toFixed(digits)} %`;
}

/** @param {number} n */
export const count = (n) => n.toLocaleString('en-US');

/**
 * @param {number} n
 * @param {string} one
 * @param {string} [many]
 */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** @param {number} n */
export function bytes(n) {
  if (n < 1000) return `${n} B`;
  if (n < 1e6) return `${(n / 1e3).toFixed(1)} kB`;
  return `${(n / 1e6).toFixed(1)} MB`;
}

/** @param {number} n */
const two = (n) => String(n).padStart(2, '0');

/**
 * The time of day, such as 14:03:12.
 * @param {number} at Unix milliseconds
 * @param {Zone} zone
 */
export function clock(at, zone) {
  const d = new Date(at);
  return zone === 'utc'
    ? `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`
    : `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

/**
 * The day, such as 2026-11-23.
 * @param {number} at Unix milliseconds
 * @param {Zone} zone
 */
export function day(at, zone) {
  const d = new Date(at);
  return zone === 'utc'
    ? `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`
    : `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`;
}

/**
 * The zone's name at an instant, such as UTC or GMT+1.
 * @param {number} at
 * @param {Zone} zone
 */
export function zoneName(at, zone) {
  if (zone === 'utc') return 'UTC';
  const parts = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' }).formatToParts(at);
  return parts.find((p) => p.type === 'timeZoneName')?.value ?? 'local';
}

/**
 * Time of day with its zone; the day too when it is not the same as now's.
 * @param {number} at
 * @param {Zone} zone
 * @param {number} now
 */
export function moment(at, zone, now) {
  const today = day(at, zone) === day(now, zone);
  return `${today ? '' : `${day(at, zone)} `}${clock(at, zone)} ${zoneName(at, zone)}`;
}

/**
 * A span of time, coarsely: 25 s, 4 min, 3 h, 2 d.
 * @param {number} span milliseconds
 */
export function ago(span) {
  const s = Math.max(0, Math.round(span / 1000));
  if (s < 100) return `${s} s`;
  if (s < 100 * 60) return `${Math.round(s / 60)} min`;
  if (s < 48 * 3600) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} d`;
}
