import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { delayAfter, INTERVAL, Refresher } from '../static/js/refresh.js';

/** Lets promises that are ready run on. */
const settle = async () => {
  for (let i = 0; i < 10; i++) await Promise.resolve();
};

/** A refresher over a clock that is set by hand, with what it did. */
function setUp() {
  mock.timers.enable({ apis: ['setTimeout'] });
  const seen = { started: 0, atOnce: 0, most: 0, failures: /** @type {number[]} */ ([]), hidden: false, again: true };
  /** @type {{resolve: () => void, reject: (err: Error) => void, signal: AbortSignal}[]} */
  const tasks = [];
  const refresher = new Refresher({
    task: (signal) => {
      seen.started++;
      seen.most = Math.max(seen.most, ++seen.atOnce);
      return /** @type {Promise<void>} */ (new Promise((resolve, reject) => {
        tasks.push({ resolve, reject, signal });
        signal.addEventListener('abort', () => reject(signal.reason));
      })).finally(() => seen.atOnce--);
    },
    again: () => seen.again,
    hidden: () => seen.hidden,
    done: (failures) => seen.failures.push(failures),
  });
  const last = () => /** @type {NonNullable<typeof tasks[0]>} */ (tasks.at(-1));
  return { refresher, seen, last };
}

/**
 * @param {string} name
 * @param {(s: ReturnType<typeof setUp>) => Promise<void>} body
 */
const timed = (name, body) => test(name, async () => {
  try {
    await body(setUp());
  } finally {
    mock.timers.reset();
  }
});

test('the pause after failures doubles up to half a minute', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 50].map(delayAfter), [5000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
});

timed('asks again an interval after the answer, not before', async ({ refresher, seen, last }) => {
  refresher.restart();
  mock.timers.tick(60_000);
  await settle();
  assert.equal(seen.started, 1, 'a slow answer is waited for');
  last().resolve();
  await settle();
  mock.timers.tick(INTERVAL - 1);
  assert.equal(seen.started, 1);
  mock.timers.tick(1);
  assert.deepEqual([seen.started, seen.most], [2, 1]);
});

timed('counts failures in a row and recovers', async ({ refresher, seen, last }) => {
  refresher.restart();
  for (const delay of [2000, 4000, 8000, 16_000]) {
    last().reject(new Error('gone'));
    await settle();
    mock.timers.tick(delay);
  }
  last().resolve();
  await settle();
  assert.deepEqual(seen.failures, [1, 2, 3, 4, 0]);
});

timed('another view gives up what is under way', async ({ refresher, seen, last }) => {
  refresher.restart();
  const first = last();
  refresher.restart();
  await settle();
  assert.ok(first.signal.aborted);
  assert.deepEqual([seen.started, seen.atOnce, seen.failures], [2, 1, []]);
});

timed('rests while hidden, and asks at once when seen again', async ({ refresher, seen, last }) => {
  refresher.restart();
  last().resolve();
  await settle();
  seen.hidden = true;
  mock.timers.tick(10 * INTERVAL);
  assert.equal(seen.started, 1);
  seen.hidden = false;
  refresher.wake();
  assert.equal(seen.started, 2);
});

timed('a range that has ended is asked for once', async ({ refresher, seen, last }) => {
  seen.again = false;
  refresher.restart();
  last().resolve();
  await settle();
  mock.timers.tick(10 * INTERVAL);
  refresher.wake();
  assert.equal(seen.started, 1);
});
