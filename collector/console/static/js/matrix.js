// The matrix as a table.

import { el, fill, setText } from './dom.js';
import { BAD_BELOW, key, MIN_BAD, OBJECTIVE } from './cells.js';
import { UNKNOWN } from './address.js';
import { cdnName, count, countryName, ms, percent, plural } from './format.js';

/**
 * @typedef {import('./cells.js').Matrix} Matrix
 * @typedef {import('./cells.js').Cell} Cell
 * @typedef {{country: string|null, cdn: string|null}} Choice
 */

/** What a state is called for those who do not see the colour. */
const STATE_NAMES = { good: 'meets the objective', warn: 'below the objective', bad: 'bad', none: 'no data' };

/** Draws matrices into one place; what is the same stays, with its focus. */
export class MatrixTable {
  #place;
  #choose;
  /** @type {Map<string, HTMLElement>} */
  #cells = new Map();
  #shape = '';
  /** @type {Choice} */
  #choice = { country: null, cdn: null };

  /**
   * @param {HTMLElement} place
   * @param {(choice: Choice) => void} choose  called with what was clicked; with nulls when it was chosen already
   */
  constructor(place, choose) {
    this.#place = place;
    this.#choose = choose;
  }

  /**
   * @param {Matrix} matrix
   * @param {Choice} choice
   */
  show(matrix, choice) {
    this.#choice = choice;
    const shape = JSON.stringify([matrix.countries, matrix.cdns]);
    if (shape !== this.#shape) this.#build(matrix);
    this.#shape = shape;
    for (const cell of matrix.cells) this.#update(cell);
    for (const head of this.#place.querySelectorAll('th button')) {
      const { country, cdn } = /** @type {HTMLElement} */ (head).dataset;
      head.setAttribute('aria-pressed', String(this.#chosen(country ?? null, cdn ?? null)));
    }
  }

  /** @param {Matrix} matrix */
  #build(matrix) {
    this.#cells.clear();
    if (matrix.cells.length === 0) {
      fill(this.#place, el('p', { class: 'empty' }, 'No runs yet. Cells appear with the first run of a country through a CDN.'));
      return;
    }
    const head = el('tr', {}, el('th', { scope: 'col' }, el('span', { class: 'sr' }, 'Country')),
      ...matrix.cdns.map((cdn) => el('th', { scope: 'col' }, this.#button(null, cdn, cdnName(cdn)))));
    const rows = matrix.countries.map((country) => el('tr', {},
      el('th', { scope: 'row' }, this.#button(country, null, countryName(country), country === UNKNOWN ? '' : country)),
      ...matrix.cdns.map((cdn) => this.#cell(country, cdn))));
    fill(this.#place, el('table', {}, el('thead', {}, head), el('tbody', {}, ...rows)));
  }

  /**
   * @param {string} country
   * @param {string} cdn
   */
  #cell(country, cdn) {
    const button = this.#button(country, cdn, '');
    fill(button,
      el('span', { class: 'top' }, el('span', { class: 'mark', 'aria-hidden': 'true' }), el('b', { class: 'share' }), el('span', { class: 'sr state' })),
      el('span', { class: 'more' }, el('span', { class: 'ttff' }), ' ', el('span', { class: 'count' })));
    const td = el('td', { 'data-country': country, 'data-cdn': cdn }, button);
    this.#cells.set(key(country, cdn), td);
    return td;
  }

  /**
   * @param {string|null} country
   * @param {string|null} cdn
   * @param {string} name
   * @param {string} [code]
   */
  #button(country, cdn, name, code) {
    const click = () => this.#choose(this.#chosen(country, cdn) ? { country: null, cdn: null } : { country, cdn });
    const data = country !== null && cdn !== null ? {} : { 'data-country': country, 'data-cdn': cdn };
    return el('button', { type: 'button', click, ...data }, name, code ? el('span', { class: 'code' }, ` ${code}`) : null);
  }

  /** @param {Cell} cell */
  #update(cell) {
    const td = this.#cells.get(key(cell.country, cell.cdn));
    if (!td) return;
    td.dataset.state = cell.state;
    td.dataset.runs = String(cell.runs);
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (td.querySelector(`.${name}`));
    const none = cell.state === 'none';
    setText(part('share'), none ? 'no data' : percent(cell.sli));
    setText(part('state'), none ? '' : `, ${STATE_NAMES[cell.state]}`);
    setText(part('ttff'), none ? '' : `p95 ${ms(cell.p95)}`);
    setText(part('count'), none ? '' : plural(cell.runs, 'run'));
    const button = /** @type {HTMLElement} */ (td.firstElementChild);
    button.setAttribute('aria-pressed', String(this.#chosen(cell.country, cell.cdn)));
    button.title = none
      ? `${countryName(cell.country)} through ${cdnName(cell.cdn)}: no runs in this range`
      : `${countryName(cell.country)} through ${cdnName(cell.cdn)}: ${count(cell.bad)} of ${plural(cell.runs, 'run')} bad, ` +
        `${count(cell.failed)} failed; TTFF p50 ${ms(cell.p50)}, p95 ${ms(cell.p95)}`;
  }

  /**
   * @param {string|null} country
   * @param {string|null} cdn
   */
  #chosen(country, cdn) {
    return this.#choice.country === country && this.#choice.cdn === cdn;
  }
}

/**
 * What the colours mean.
 * @param {Element} place
 */
export function showLegend(place) {
  /** @type {[import('./cells.js').State, string][]} */
  const entries = [
    ['good', `≥ ${OBJECTIVE * 100} %`],
    ['warn', 'below'],
    ['bad', `< ${BAD_BELOW * 100} %, ≥ ${MIN_BAD} bad runs`],
    ['none', 'no data'],
  ];
  fill(place, ...entries.map(([state, label]) => el('span', { 'data-state': state }, el('span', { class: 'mark', 'aria-hidden': 'true' }), label)));
}
