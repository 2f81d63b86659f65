// A run as data to draw: where each bar begins and ends, and what the phases add up to.

import { PHASES } from './phases.js';

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} [track]
 * @property {string} [url]      absent for a wait
 * @property {number} [attempt]
 * @property {number} start_ms
 * @property {number} end_ms
 * @property {number} [queue_ms]
 * @property {number} [dns_ms]
 * @property {number} [connect_ms]
 * @property {number} [tls_ms]
 * @property {number} [wait_ms]
 * @property {number} [receive_ms]
 * @property {number} [status]
 * @property {number} [bytes]
 * @property {string} [remote_address]
 * @property {string} [protocol]
 * @property {boolean} [reused]
 * @property {string} [error_type]
 * @property {string} [error]
 * @property {Record<string, string[]>} [headers]
 *
 * @typedef {Record<string, unknown>} Run
 * @typedef {{kind: string, label: string, start: number, ms: number}} Piece
 * @typedef {{step: Step, label: string, what: string, pieces: Piece[], failed: boolean, fatal: boolean}} Bar
 * @typedef {{name: string, label: string, at: number}} Mark
 * @typedef {{from: number, to: number}} Axis  milliseconds since press play
 * @typedef {{bars: Bar[], marks: Mark[], axis: Axis}} Act
 */

/** The parts of an exchange in order; what they leave open is sending the request. @type {[keyof Step, string, string][]} */
const PARTS = [
  ['queue_ms', 'queue', 'queue'], ['dns_ms', 'dns', 'DNS'], ['connect_ms', 'connect', 'connect'], ['tls_ms', 'tls', 'TLS'],
  ['wait_ms', 'wait', 'first byte'], ['receive_ms', 'receive', 'receive'],
];

/** A wait for which the picture stands still. */
const STALL = 'wait_stall';

/** Pieces and gaps shorter than this are not drawn, in milliseconds. */
const LEAST = 0.02;

/**
 * A number of a run; null when it is not known.
 * @param {Run} run
 * @param {string} field
 */
export function numberOf(run, field) {
  const v = run[field];
  return typeof v === 'number' ? v : null;
}

/**
 * A text of a run; null when it is not known.
 * @param {Run} run
 * @param {string} field
 */
export function textOf(run, field) {
  const v = run[field];
  return typeof v === 'string' && v !== '' ? v : null;
}

/**
 * The steps of a run.
 * @param {Run} run
 * @returns {Step[]}
 */
export const stepsOf = (run) => (Array.isArray(run.steps) ? run.steps : []);

/**
 * The end of a run in milliseconds, with all that belongs to it.
 * @param {Run} run
 */
function endOf(run) {
  const ends = stepsOf(run).map((s) => s.end_ms);
  const fields = ['duration_ms', 'ttff_ms', 'startup_ms', 'first_keyframe_ms'].map((f) => numberOf(run, f) ?? 0);
  return Math.max(1, ...ends, ...fields);
}

/**
 * When playback started, of a run that played on after that; null of others.
 * @param {Run} run
 */
function onset(run) {
  const ttff = numberOf(run, 'ttff_ms');
  if (numberOf(run, 'played_ms') === null || ttff === null) return null;
  return Math.max(1, ttff, numberOf(run, 'startup_ms') ?? 0);
}

/**
 * A run in what is drawn apart: its start and, where it was to play on, the time
 * from there on. What was asked for before playback started is of the start.
 * @param {Run} run
 * @returns {{start: Act, on: Act|null}}
 */
export function acts(run) {
  const at = onset(run);
  const [all, instants, end] = [bars(run), marks(run), endOf(run)];
  if (at === null) return { start: { bars: all, marks: instants, axis: { from: 0, to: end } }, on: null };
  /** @type {(bar: Bar) => boolean} */
  const early = ({ step }) => step.start_ms < at && step.name !== STALL;
  return {
    start: { bars: all.filter(early), marks: instants.filter((m) => m.at <= at), axis: { from: 0, to: at } },
    on: { bars: all.filter((b) => !early(b)).sort((a, b) => a.step.start_ms - b.step.start_ms), marks: instants.filter((m) => m.at > at), axis: { from: at, to: Math.max(at + 1, end) } },
  };
}

/**
 * When it played and when the picture stood still, from start to end of the time
 * that it was to play on.
 * @param {Act} on
 * @returns {Piece[]}
 */
export function playing({ bars: list, axis }) {
  /** @type {Piece[]} */
  const pieces = [];
  let at = axis.from;
  for (const { step } of list.filter((b) => b.step.name === STALL && b.step.end_ms > at)) {
    const start = Math.max(at, step.start_ms);
    if (start > at) pieces.push({ kind: 'playing', label: 'playing', start: at, ms: start - at });
    pieces.push({ kind: 'stall', label: 'stall', start, ms: step.end_ms - start });
    at = step.end_ms;
  }
  if (axis.to > at) pieces.push({ kind: 'playing', label: 'playing', start: at, ms: axis.to - at });
  return pieces;
}

/**
 * One bar per step.
 * @param {Run} run
 * @returns {Bar[]}
 */
export function bars(run) {
  const steps = stepsOf(run);
  // The step that the run failed of: the last failed attempt of that name.
  const fatal = run.ok === false ? steps.findLastIndex((s) => s.error_type && s.name === run.error_step) : -1;
  return steps.map((step, i) => ({
    step,
    label: label(step),
    what: what(step),
    pieces: pieces(step),
    failed: Boolean(step.error_type),
    fatal: i === fatal,
  }));
}

/**
 * What a step consists of, one piece after the other from start to end.
 * @param {Step} step
 * @returns {Piece[]}
 */
export function pieces(step) {
  const whole = Math.max(0, step.end_ms - step.start_ms);
  if (!step.url) {
    const [kind, label] = step.name === STALL ? ['stall', 'stall'] : ['idle', 'wait'];
    return [{ kind, label, start: step.start_ms, ms: whole }];
  }
  const parts = PARTS.map(([field, kind, label]) => ({ kind, label, ms: Number(step[field] ?? 0) }));
  const open = whole - parts.reduce((sum, p) => sum + p.ms, 0);
  if (open > LEAST) {
    // Before the wait for the answer, or at the end when it never came to that.
    const at = parts.findIndex((p) => p.kind === 'wait' && p.ms > 0);
    parts.splice(at < 0 ? parts.length : at, 0, { kind: 'send', label: step.error_type && at < 0 ? 'until given up' : 'send', ms: open });
  }
  let start = step.start_ms;
  return parts.filter((p) => p.ms > LEAST).map((p) => {
    const piece = { ...p, start };
    start += p.ms;
    return piece;
  });
}

/** @param {Step} step */
function label(step) {
  const name = step.name === STALL ? 'stall' : step.name.replaceAll('_', ' ');
  return step.track ? `${name} · ${step.track}` : name;
}

/** @param {Step} step */
function what(step) {
  if (!step.url) return '';
  const file = step.url.replace(/[?#].*$/s, '').split('/').filter(Boolean).at(-1) ?? step.url;
  return step.attempt && step.attempt > 1 ? `${file} (attempt ${step.attempt})` : file;
}

/**
 * Where there is room for a bar's label: after it, before it, or only on it. A
 * failed step's label is longer.
 * @param {Step} step
 * @param {Axis} axis
 * @returns {'after'|'before'|'on'}
 */
export function labelSide(step, axis) {
  if (share(step.end_ms, axis) <= 0.75) return 'after';
  return share(step.start_ms, axis) >= (step.error_type ? 0.25 : 0.13) ? 'before' : 'on';
}

/**
 * Where an instant lies on an axis, from 0 to 1.
 * @param {number} instant
 * @param {Axis} axis
 */
export const share = (instant, { from, to }) => Math.min(1, Math.max(0, (instant - from) / (to - from)));

/**
 * The instants worth a line, in order.
 * @param {Run} run
 * @returns {Mark[]}
 */
export function marks(run) {
  /** @type {[string, string][]} */
  const fields = [['first_keyframe_ms', 'keyframe'], ['ttff_ms', 'first frame']];
  const found = fields.map(([field, label]) => ({ name: field.replace(/_ms$/, ''), label, at: numberOf(run, field) }));
  if (run.ok === false) found.push({ name: 'failed', label: 'failed', at: numberOf(run, 'duration_ms') });
  return found.filter((m) => m.at !== null).map((m) => ({ ...m, at: m.at ?? 0 })).sort((a, b) => a.at - b.at);
}

/**
 * The phases that took time, and their sum.
 * @param {Run} run
 */
export function phases(run) {
  const list = PHASES.map((p) => ({ ...p, ms: numberOf(run, p.field) ?? 0 })).filter((p) => p.ms > 0);
  return { list, sum: list.reduce((sum, p) => sum + p.ms, 0) };
}

/**
 * Round instants on the axis, about so many.
 * @param {Axis} axis
 * @param {number} about
 */
export function ticks({ from, to }, about) {
  const raw = (to - from) / about;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * ([1, 2, 5, 10].find((f) => f * unit >= raw) ?? 10);
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, i) => (first + i) * step);
}
