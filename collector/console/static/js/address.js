// The view lives in the page's address, so that it can be pasted to a colleague.

/**
 * @typedef {object} View
 * @property {string} from   RFC 3339, now or now-DURATION
 * @property {string} to
 * @property {string|null} target
 * @property {string|null} app
 * @property {string|null} appVersion
 * @property {string|null} country  {@link UNKNOWN}: runs without one
 * @property {string|null} cdn
 * @property {string|null} run      id of the run whose waterfall is shown
 * @property {'utc'|'local'} tz
 * @property {boolean} wall
 */

/** Stands for "not known" in the address and in data attributes; no country or CDN is called so. */
export const UNKNOWN = '-';

const DEFAULT_FROM = 'now-1h';
const DEFAULT_TO = 'now';

/**
 * Reads an address's query string.
 * @param {string} search
 * @returns {View}
 */
export function parseView(search) {
  const q = new URLSearchParams(search);
  const run = q.get('run');
  return {
    from: q.get('from') || DEFAULT_FROM,
    to: q.get('to') || DEFAULT_TO,
    target: q.get('target') || null,
    app: q.get('app') || null,
    appVersion: q.get('app_version') || null,
    country: q.get('country') || null,
    cdn: q.get('cdn') || null,
    run: run && /^[0-9a-f]{32}$/.test(run) ? run : null,
    tz: q.get('tz') === 'local' ? 'local' : 'utc',
    wall: q.get('wall') === '1',
  };
}

/**
 * The address of a view, relative to the page; what is as by default is left out.
 * @param {View} v
 */
export function viewAddress(v) {
  const q = new URLSearchParams();
  /** @type {[string, string|null][]} */
  const entries = [
    ['from', v.from === DEFAULT_FROM ? null : v.from],
    ['to', v.to === DEFAULT_TO ? null : v.to],
    ['target', v.target],
    ['app', v.app],
    ['app_version', v.appVersion],
    ['country', v.country],
    ['cdn', v.cdn],
    ['run', v.run],
    ['tz', v.tz === 'local' ? 'local' : null],
    ['wall', v.wall ? '1' : null],
  ];
  for (const [key, value] of entries) {
    if (value) q.set(key, value);
  }
  const text = q.toString();
  return text ? `./?${text}` : './';
}

/**
 * Whether a view moves on with the clock.
 * @param {View} v
 */
export const isLive = (v) => v.to === 'now';

const UNITS = new Map([['w', 604_800_000], ['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000], ['ms', 1]]);

/**
 * A duration such as 1h30m in milliseconds; NaN when it cannot be read. The
 * collector is the judge of what is allowed, this only serves to choose a step.
 * @param {string} text
 */
export function parseDuration(text) {
  if (!/^(\d+(w|d|h|ms|m|s))+$/.test(text)) return NaN;
  let total = 0;
  for (const [, n, unit] of text.matchAll(/(\d+)(ms|[wdhms])/g)) total += Number(n) * (UNITS.get(unit ?? '') ?? NaN);
  return total;
}

/**
 * The instant of from or to in Unix milliseconds; NaN when it cannot be read.
 * @param {string} text
 * @param {number} now
 */
export function parseTime(text, now) {
  if (text === 'now') return now;
  if (text.startsWith('now-')) return now - parseDuration(text.slice(4));
  return Date.parse(text);
}
