// The matrix as data: cells, their states, and the sentence that sums them up.

import { num, text } from './api.js';
import { UNKNOWN } from './address.js';
import { PHASES } from './phases.js';
import { cdnName, countryName, ms, percent, plural } from './format.js';

/**
 * @typedef {import('./api.js').Row} Row
 * @typedef {'good'|'warn'|'bad'|'none'} State
 * @typedef {object} Cell
 * @property {string} country
 * @property {string} cdn
 * @property {number} runs
 * @property {number} bad
 * @property {number} failed
 * @property {number|null} sli
 * @property {number|null} p50
 * @property {number|null} p95
 * @property {number[]} phases  means in milliseconds, as in PHASES; empty without runs
 * @property {State} state
 *
 * @typedef {{countries: string[], cdns: string[], cells: Cell[]}} Matrix  cells: country by country, each through every CDN
 */

/** The service level objective: the share of runs that have to be good. */
export const OBJECTIVE = 0.999;

/** Below this share a cell is bad, if at least MIN_BAD runs say so. */
export const BAD_BELOW = 0.99;
export const MIN_BAD = 2;

/**
 * @param {number} runs
 * @param {number} bad
 * @param {number|null} sli
 * @returns {State}
 */
export function stateOf(runs, bad, sli) {
  if (runs === 0 || sli === null) return 'none';
  if (sli >= OBJECTIVE) return 'good';
  return sli < BAD_BELOW && bad >= MIN_BAD ? 'bad' : 'warn';
}

/**
 * Every known country through every known CDN, with what the range holds.
 * @param {Row[]} rows   of the range
 * @param {Row[]} known  rows whose country and CDN are to be there even without runs
 * @returns {Matrix}
 */
export function toMatrix(rows, known) {
  const all = [...rows, ...known];
  const countries = unique(all.map(countryOf)).sort((a, b) => last(a, b) || countryName(a).localeCompare(countryName(b), 'en'));
  const cdns = unique(all.map(cdnOf)).sort((a, b) => last(a, b) || a.localeCompare(b, 'en', { numeric: true }));
  const found = new Map(rows.map((r) => [key(countryOf(r), cdnOf(r)), r]));
  const cells = countries.flatMap((country) => cdns.map((cdn) => toCell(country, cdn, found.get(key(country, cdn)))));
  return { countries, cdns, cells };
}

/**
 * @param {string} country
 * @param {string} cdn
 */
export const key = (country, cdn) => JSON.stringify([country, cdn]);

/** @param {Row} r */
const countryOf = (r) => text(r, 'country') ?? UNKNOWN;
/** @param {Row} r */
const cdnOf = (r) => text(r, 'cdn') ?? UNKNOWN;

/** @param {string[]} list */
const unique = (list) => [...new Set(list)];

/**
 * Puts what is not known last.
 * @param {string} a
 * @param {string} b
 */
const last = (a, b) => Number(a === UNKNOWN) - Number(b === UNKNOWN);

/**
 * @param {string} country
 * @param {string} cdn
 * @param {Row|undefined} r
 * @returns {Cell}
 */
function toCell(country, cdn, r) {
  if (!r) return { country, cdn, runs: 0, bad: 0, failed: 0, sli: null, p50: null, p95: null, phases: [], state: 'none' };
  const [runs, bad, sli] = [num(r, 'runs') ?? 0, num(r, 'bad') ?? 0, num(r, 'sli')];
  return {
    country, cdn, runs, bad, sli,
    failed: num(r, 'failed') ?? 0,
    p50: num(r, 'ttff_ms_p50'),
    p95: num(r, 'ttff_ms_p95'),
    phases: PHASES.map((p) => num(r, `${p.field}_avg`) ?? 0),
    state: stateOf(runs, bad, sli),
  };
}

/**
 * The worst cell: of the worst state, the one with the lowest share of good
 * runs, then with most bad ones. Undefined when every cell is good or empty.
 * @param {Cell[]} cells
 */
export function worst(cells) {
  const ill = cells.filter((c) => c.state === 'bad' || c.state === 'warn');
  return ill.sort((a, b) =>
    Number(b.state === 'bad') - Number(a.state === 'bad') || (a.sli ?? 1) - (b.sli ?? 1) || b.bad - a.bad)[0];
}

/**
 * The phase in which a cell loses most against healthier ones: against the same
 * country through other CDNs, or else the same CDN in other countries, or else
 * all others. Null when there is nothing to compare with, or nothing lost.
 * @param {Cell} cell
 * @param {Cell[]} cells
 * @returns {{label: string, ms: number, than: string}|null}
 */
export function lostIn(cell, cells) {
  const healthy = cells.filter((c) => c !== cell && c.runs > 0 && c.state !== 'bad');
  /** @type {[string, Cell[]][]} */
  const peers = [
    ['against other CDNs there', healthy.filter((c) => c.country === cell.country)],
    [`against ${cdnName(cell.cdn)} elsewhere`, healthy.filter((c) => c.cdn === cell.cdn)],
    ['against the others', healthy],
  ];
  const [than, others] = peers.find(([, list]) => list.length > 0) ?? ['', []];
  const runs = others.reduce((sum, c) => sum + c.runs, 0);
  if (runs === 0) return null;
  const lost = PHASES.map((p, i) => ({
    label: p.label,
    ms: (cell.phases[i] ?? 0) - others.reduce((sum, c) => sum + (c.phases[i] ?? 0) * c.runs, 0) / runs,
    than,
  })).sort((a, b) => b.ms - a.ms)[0];
  return lost && lost.ms >= 20 ? lost : null;
}

/**
 * The matrix in one sentence.
 * @param {Cell[]} cells
 * @param {Row[]} errors  by error_type and error_step, of the worst cell
 * @returns {{state: State, place: string, text: string}}  place: the worst cell, empty when none is to be named
 */
export function headline(cells, errors) {
  const filled = cells.filter((c) => c.runs > 0);
  const empty = cells.length - filled.length;
  const without = empty > 0 ? `; ${empty} without data` : '';
  if (filled.length === 0) return { state: 'none', place: '', text: 'No runs in this range' };
  const cell = worst(cells);
  if (!cell) {
    const all = filled.length === 1 ? 'The only cell meets' : `All ${filled.length} cells meet`;
    return { state: 'good', place: '', text: `${all} the objective${without}` };
  }
  const facts = [`${percent(cell.sli)} good (${cell.bad} of ${plural(cell.runs, 'run')} bad)`];
  const error = errors[0];
  if (error) facts.push(`${num(error, 'runs')} ${errorName(text(error, 'error_type'), text(error, 'error_step'))}`);
  if (cell.p95 !== null) facts.push(`TTFF p95 ${ms(cell.p95)}`);
  const lost = lostIn(cell, cells);
  if (lost) facts.push(`${lost.label} +${ms(lost.ms)} ${lost.than}`);
  const more = filled.filter((c) => c.state === cell.state).length - 1;
  const others = more > 0 ? `; ${plural(more, 'more cell')} ${cell.state === 'bad' ? 'red' : 'below the objective'}` : '';
  return { state: cell.state, place: `${countryName(cell.country)} · ${cdnName(cell.cdn)}`, text: facts.join(', ') + others + without };
}

/**
 * Why and where a run failed, in words.
 * @param {string|null} type
 * @param {string|null} step
 */
export function errorName(type, step) {
  const why = (type ?? 'unknown error').replace(/^http_/, 'HTTP ').replaceAll('_', ' ');
  return step ? `${why} at ${step.replaceAll('_', ' ')}` : why;
}
