// The phases of a run's critical path, in the order in which they usually come.

/** @typedef {{name: string, field: string, label: string}} Phase */

/** @type {[string, string][]} */
const names = [
  ['queue', 'queue'],
  ['playback_api', 'playback API'],
  ['dns', 'DNS'],
  ['connect', 'connect'],
  ['tls', 'TLS'],
  ['manifest', 'manifest'],
  ['playlist', 'playlist'],
  ['key', 'key'],
  ['init', 'init'],
  ['segment_ttfb', 'segment first byte'],
  ['segment', 'segment body'],
  ['player', 'player'],
];

/** @type {Phase[]} */
export const PHASES = names.map(([name, label]) => ({ name, field: `${name}_ms`, label }));

/** Their means, as measures of a query. */
export const PHASE_MEASURES = PHASES.map((p) => `${p.field}_avg`);
