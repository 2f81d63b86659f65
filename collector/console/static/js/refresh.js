// Asks again and again: never twice at a time, slower while nobody answers, and
// not at all while nobody looks.

/** Milliseconds between the end of one refresh and the start of the next. */
export const INTERVAL = 5_000;
const FIRST_RETRY = 2_000;
const LAST_RETRY = 30_000;

/** After so many failures in a row the collector counts as lost. */
export const LOST_AFTER = 2;

/**
 * How long to wait after so many failures in a row.
 * @param {number} failures
 */
export function delayAfter(failures) {
  return failures === 0 ? INTERVAL : Math.min(FIRST_RETRY * 2 ** (failures - 1), LAST_RETRY);
}

/**
 * @typedef {object} Hooks
 * @property {(signal: AbortSignal) => Promise<void>} task  asks and shows
 * @property {() => boolean} again     whether to ask again after a success
 * @property {() => boolean} hidden    whether nobody looks
 * @property {(failures: number, error: unknown) => void} done  after each task that was not given up
 */

/** Runs a task now and again. */
export class Refresher {
  /** @type {AbortController|null} */
  #running = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  #failures = 0;
  #hooks;

  /** @param {Hooks} hooks */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /** Asks at once; what is under way is given up. */
  restart() {
    this.#running?.abort();
    this.#running = null;
    clearTimeout(this.#timer);
    void this.#run();
  }

  /** To be called when the page is looked at again, or the network is back. */
  wake() {
    if (!this.#running && !this.#hooks.hidden() && (this.#hooks.again() || this.#failures > 0)) this.restart();
  }

  async #run() {
    const running = new AbortController();
    this.#running = running;
    /** @type {unknown} */
    let failure = null;
    try {
      await this.#hooks.task(running.signal);
    } catch (err) {
      failure = err ?? new Error('unknown');
    }
    if (this.#running !== running) return;
    this.#running = null;
    this.#failures = failure === null ? 0 : this.#failures + 1;
    this.#hooks.done(this.#failures, failure);
    if (this.#failures === 0 && !this.#hooks.again()) return;
    this.#timer = setTimeout(() => {
      if (!this.#hooks.hidden()) void this.#run();
    }, delayAfter(this.#failures));
  }
}
