// The collector's API. Nothing else is ever asked.

/**
 * @typedef {string|number|boolean|null} Value
 * @typedef {{dim: string, op: string, values: string[]}} Cond
 * @typedef {object} Request
 * @property {string} from
 * @property {string} to
 * @property {string} [step]
 * @property {string[]} measures
 * @property {string[]} [group_by]
 * @property {Cond[]} where
 * @property {{measure: string, desc: boolean}} [order_by]
 * @property {number} [limit]
 *
 * @typedef {object} Answer
 * @property {{name: string, kind: string, unit: string}[]} columns
 * @property {Value[][]} rows
 * @property {{source: string, max_error: number, complete_until: string|null, took_ms: number, truncated: boolean}} meta
 *
 * @typedef {Map<string, Value>} Row
 * @typedef {{answer: Answer, rows: Row[], now: number}} Result
 */

/** How long the collector may take to answer, in milliseconds. */
const TIMEOUT = 10_000;

/** The collector answered that the question is wrong; asking again is of no use. */
export class AskerError extends Error {
  /**
   * @param {string} message
   * @param {number} status
   */
  constructor(message, status) {
    super(message);
    this.name = 'AskerError';
    this.status = status;
  }
}

/** Nobody answered, or only to say that no answer can be given now. */
export class NoAnswer extends Error {
  /**
   * @param {string} message
   * @param {string} said  what the collector, or someone before it, said; empty when nobody did
   * @param {ErrorOptions} [options]
   */
  constructor(message, said, options) {
    super(message, options);
    this.name = 'NoAnswer';
    this.said = said;
  }
}

/**
 * Asks a query.
 * @param {Request} request
 * @param {AbortSignal} signal
 * @returns {Promise<Result>}
 */
export async function query(request, signal) {
  const { body, now } = await ask('api/v1/query', signal, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify(request),
  });
  const answer = /** @type {Answer} */ (body);
  return { answer, rows: toRows(answer), now };
}

/**
 * A run with its steps, as the collector tells it.
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<Record<string, unknown>>}
 */
export async function fetchRun(id, signal) {
  const { body } = await ask(`api/v1/runs/${encodeURIComponent(id)}`, signal, { headers: { Accept: 'application/json' } });
  return /** @type {Record<string, unknown>} */ (body);
}

/**
 * The rows of an answer by column name.
 * @param {Answer} answer
 * @returns {Row[]}
 */
export function toRows(answer) {
  return answer.rows.map((values) => new Map(answer.columns.map((c, i) => [c.name, values[i] ?? null])));
}

/**
 * A number of a row; null when there is none.
 * @param {Row} row
 * @param {string} name
 */
export function num(row, name) {
  const v = row.get(name);
  return typeof v === 'number' ? v : null;
}

/**
 * A text of a row; null when there is none.
 * @param {Row} row
 * @param {string} name
 */
export function text(row, name) {
  const v = row.get(name);
  return v === null || v === undefined ? null : String(v);
}

/**
 * @param {string} path
 * @param {AbortSignal} signal
 * @param {RequestInit} init
 */
async function ask(path, signal, init) {
  /** @type {Response} */
  let response;
  /** @type {string} */
  let body;
  try {
    response = await fetch(path, { ...init, signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]) });
    body = await response.text();
  } catch (err) {
    throw new NoAnswer(`${path}: ${err instanceof Error ? err.message : err}`, '', { cause: err });
  }
  if (!response.ok) {
    const { status } = response;
    const message = describe(body) ?? `${path}: ${status} ${response.statusText}`;
    throw status >= 400 && status < 500 && status !== 429 ? new AskerError(message, status) : new NoAnswer(message, message);
  }
  // The collector's clock, not this device's, says how old an answer is.
  const date = Date.parse(response.headers.get('Date') ?? '');
  return { body: /** @type {unknown} */ (JSON.parse(body)), now: Number.isNaN(date) ? Date.now() : date };
}

/**
 * What the API's own error says; null when the body is none.
 * @param {string} body
 */
export function describe(body) {
  try {
    const { message, field, did_you_mean: near } = JSON.parse(body);
    if (typeof message !== 'string') return null;
    const hint = Array.isArray(near) && near.length > 0 ? `; did you mean ${near.join(', ')}?` : '';
    return `${field ? `${field}: ` : ''}${message}${hint}`;
  } catch {
    return null;
  }
}
