// The controls in the bar: they show the view and ask for another.

import { byId, el, fill } from './dom.js';
import { text } from './api.js';

/**
 * @typedef {import('./address.js').View} View
 * @typedef {import('./api.js').Row} Row
 * @typedef {(change: Partial<View>) => void} Go
 */

/** @type {[string, string][]} */
const RANGES = [
  ['now-5m', '5 minutes'], ['now-15m', '15 minutes'], ['now-1h', '1 hour'], ['now-6h', '6 hours'], ['now-24h', '24 hours'], ['now-7d', '7 days'], ['now-28d', '28 days'],
];
const CUSTOM = 'custom';

const select = (/** @type {string} */ id) => /** @type {HTMLSelectElement} */ (byId(id));
const input = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id));

/**
 * Makes the controls call go with what is to change.
 * @param {() => View} view
 * @param {Go} go
 */
export function wireControls(view, go) {
  fill(select('range'), ...RANGES.map(([value, label]) => el('option', { value }, `last ${label}`)), el('option', { value: CUSTOM }, 'from … to …'));
  select('range').addEventListener('change', () => {
    if (select('range').value !== CUSTOM) go({ from: select('range').value, to: 'now' });
    else {
      byId('custom').hidden = false;
      input('from').focus();
    }
  });
  byId('controls').addEventListener('submit', (event) => {
    event.preventDefault();
    go({ from: input('from').value.trim(), to: input('to').value.trim() });
  });
  select('target').addEventListener('change', () => go({ target: select('target').value || null }));
  select('version').addEventListener('change', () => {
    const [app = null, appVersion = null] = select('version').value ? JSON.parse(select('version').value) : [];
    go({ app, appVersion });
  });
  byId('tz').addEventListener('click', () => go({ tz: view().tz === 'utc' ? 'local' : 'utc' }));
}

/**
 * Shows the view in the controls.
 * @param {View} v
 * @param {Row[]} choices  the targets, apps and versions that have runs
 */
export function showControls(v, choices) {
  const preset = v.to === 'now' && RANGES.some(([value]) => value === v.from);
  select('range').value = preset ? v.from : CUSTOM;
  byId('custom').hidden = preset || v.run !== null;
  if (document.activeElement !== input('from')) input('from').value = v.from;
  if (document.activeElement !== input('to')) input('to').value = v.to;
  byId('tz').textContent = v.tz === 'utc' ? 'UTC' : 'Local time';

  const targets = sorted(choices.map((r) => text(r, 'target')));
  options(select('target'), 'all', targets.map((t) => [t, t]), v.target ?? '');

  const version = v.app === null && v.appVersion === null ? '' : JSON.stringify([v.app, v.appVersion]);
  const versions = new Map(choices.map((r) => [JSON.stringify([text(r, 'app'), text(r, 'app_version')]), versionName(text(r, 'app'), text(r, 'app_version'))]));
  versions.delete('[null,null]');
  if (version && !versions.has(version)) versions.set(version, versionName(v.app, v.appVersion));
  options(select('version'), 'all', [...versions].sort((a, b) => a[1].localeCompare(b[1], 'en', { numeric: true })), version);
}

/**
 * @param {string|null} app
 * @param {string|null} version
 */
export const versionName = (app, version) => [app, version].filter((t) => t !== null).join(' ');

/** @param {(string|null)[]} list */
const sorted = (list) => [...new Set(list.filter((t) => t !== null))].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));

/**
 * @param {HTMLSelectElement} node
 * @param {string} all   the option for no filter
 * @param {[string, string][]} entries  value and label
 * @param {string} chosen  is an option even when no run has it
 */
function options(node, all, entries, chosen) {
  /** @type {[string, string][]} */
  const list = [['', all], ...entries];
  if (!list.some(([value]) => value === chosen)) list.push([chosen, chosen]);
  const shown = JSON.stringify(list);
  if (node.dataset.shown !== shown) {
    node.dataset.shown = shown;
    fill(node, ...list.map(([value, label]) => el('option', { value }, label)));
  }
  node.value = chosen;
}
