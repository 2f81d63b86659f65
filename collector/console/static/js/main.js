// The page: address → questions → what is shown, again and again.

import { isLive, parseView, viewAddress } from './address.js';
import { AskerError, fetchRun, NoAnswer, num, query } from './api.js';
import { headline, toMatrix, worst } from './cells.js';
import { Charts } from './charts.js';
import { showBadRuns } from './badruns.js';
import { showControls, versionName, wireControls } from './controls.js';
import { byId, el, fill, setText } from './dom.js';
import { cdnName, countryName } from './format.js';
import { MatrixTable, showLegend } from './matrix.js';
import { badRunsQuestion, choicesQuestion, errorsQuestion, knownQuestion, matrixQuestion, pulseQuestion, seriesQuestion, withoutOpenEnd } from './questions.js';
import { LOST_AFTER, Refresher } from './refresh.js';
import { showNoRun, showRun } from './runview.js';
import { showLost, showStamp, tickLost } from './stamp.js';

/**
 * @typedef {import('./address.js').View} View
 * @typedef {import('./api.js').Row} Row
 */

/** How long what is asked seldom is kept, in milliseconds. */
const SELDOM = 60_000;

let view = parseView(location.search);
/** @type {{at: number, range: string, known: Row[], choices: Row[]}} */
let seldom = { at: 0, range: '', known: [], choices: [] };
let lastAnswer = Date.now();
let lost = false;
let runShown = '';

const matrix = new MatrixTable(byId('matrix'), (choice) => go(choice));
const charts = new Charts([byId('chart-success'), byId('chart-ttff'), byId('chart-phases')],
  (from, to) => go({ from: toSecond(from), to: toSecond(to + 1000) }));
const refresher = new Refresher({
  task: (signal) => (view.run ? refreshRun(view.run, signal) : refreshDashboard(signal)),
  again: () => isLive(view) || view.run !== null,
  hidden: () => document.hidden,
  done,
});

/**
 * An instant as it stands in an address, to the second.
 * @param {number} at  Unix milliseconds
 */
function toSecond(at) {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}

/**
 * Goes to another view, which the back button undoes.
 * @param {Partial<View>} change
 */
function go(change) {
  view = { ...view, ...change };
  history.pushState(null, '', viewAddress(view));
  show();
}

/** Shows the view's frame at once, and asks for what it holds. */
function show() {
  document.body.classList.toggle('wall', view.wall);
  document.body.classList.toggle('one-run', view.run !== null);
  byId('dashboard').hidden = view.run !== null;
  byId('run').hidden = view.run === null;
  byId('problem').hidden = true;
  byId('content').setAttribute('aria-busy', 'true');
  runShown = '';
  showControls(view, seldom.choices);
  setText(byId('chosen'), chosenName(view));
  refresher.restart();
}

/** @param {View} v */
function chosenName(v) {
  const parts = [v.country && countryName(v.country), v.cdn && cdnName(v.cdn), versionName(v.app, v.appVersion), v.target];
  return parts.filter(Boolean).join(' · ');
}

/** @param {AbortSignal} signal */
async function refreshDashboard(signal) {
  const v = view;
  const now = Date.now();
  const [cells, series, bad] = await Promise.all([
    query(matrixQuestion(v), signal),
    query(seriesQuestion(v, now), signal),
    query(badRunsQuestion(v), signal),
    refreshSeldom(v, now, signal),
  ]);
  const table = toMatrix(cells.rows, seldom.known);
  const ill = worst(table.cells);
  const errors = ill && ill.failed > 0 ? await query(errorsQuestion(v, ill), signal) : null;
  signal.throwIfAborted();

  showHeadline(headline(table.cells, errors?.rows ?? []));
  matrix.show(table, v);
  charts.show(isLive(v) ? withoutOpenEnd(series.rows, series.now) : series.rows, v.tz);
  showBadRuns(byId('runs'), bad.rows, v);
  showControls(v, seldom.choices);
  const interval = Math.max(0, ...cells.rows.map((r) => num(r, 'interval_ms_p95') ?? 0));
  showStamp(cells.answer.meta.complete_until, cells.now, interval, v.tz, isLive(v));
}

/**
 * @param {View} v
 * @param {number} now
 * @param {AbortSignal} signal
 */
async function refreshSeldom(v, now, signal) {
  const range = `${v.from} ${v.to}`;
  if (seldom.range === range && seldom.known.length > 0 && now - seldom.at < SELDOM) return;
  const [known, choices] = await Promise.all([query(knownQuestion(v, now), signal), query(choicesQuestion(v, now), signal)]);
  seldom = { at: now, range, known: known.rows, choices: choices.rows };
}

/** @param {ReturnType<typeof headline>} line */
function showHeadline({ state, place, text }) {
  const node = byId('headline');
  const shown = `${state} ${place} ${text}`;
  if (node.dataset.shown !== shown) {
    node.dataset.shown = shown;
    node.dataset.state = state;
    fill(node, el('span', { class: 'mark', 'aria-hidden': 'true' }), el('span', {}, place ? el('b', {}, `${place}: `) : null, text));
  }
  document.title = place ? `${place} – Firstframe` : 'Firstframe';
}

/**
 * @param {string} id
 * @param {AbortSignal} signal
 */
async function refreshRun(id, signal) {
  const v = view;
  const pulse = await query(pulseQuestion, signal);
  showStamp(pulse.answer.meta.complete_until, pulse.now, 0, v.tz, false);
  if (runShown === id) return;
  try {
    const run = await fetchRun(id, signal);
    showRun(byId('run'), run, v);
    runShown = id;
    byId('problem').hidden = true;
  } catch (err) {
    if (!(err instanceof AskerError) || err.status !== 404) throw err;
    showNoRun(byId('run'), 'No such run is stored', v);
  }
  document.title = `Run ${id.slice(0, 12)} – Firstframe`;
}

/**
 * @param {number} failures
 * @param {unknown} error
 */
function done(failures, error) {
  const silent = error instanceof NoAnswer;
  if (!silent) lastAnswer = Date.now();
  lost = silent && failures >= LOST_AFTER;
  byId('content').setAttribute('aria-busy', String(failures > 0));
  byId('problem').hidden = silent || failures === 0;
  if (failures > 0) setText(byId('problem'), error instanceof Error ? error.message : String(error));
  showLost(lost ? lastAnswer : null, view.tz, error instanceof NoAnswer ? error.said : '');
}

// Links within the page keep the page: they change the view only.
document.addEventListener('click', (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (!(event.target instanceof Element)) return;
  const link = event.target.closest('a[data-nav]') ?? event.target.closest('tr[data-run]')?.querySelector('a[data-nav]');
  if (!(link instanceof HTMLAnchorElement)) return;
  event.preventDefault();
  go(parseView(link.search));
  scrollTo(0, 0);
});
addEventListener('popstate', () => {
  view = parseView(location.search);
  show();
});
document.addEventListener('visibilitychange', () => refresher.wake());
addEventListener('online', () => refresher.wake());
setInterval(() => lost && tickLost(lastAnswer, view.tz), 1000);

wireControls(() => view, go);
showLegend(byId('legend'));
show();
