import type { DataFrame, DataLink, DataQueryResponse } from '@grafana/data';
import type { Query } from './types';

/**
 * The answer with its links in their place. The back end sends them in the
 * fields' custom config: Grafana 9.4 itself decodes an answer on its way, and
 * drops of a link what it did not know then, which is where it leads.
 */
export function restore(answer: DataQueryResponse): DataQueryResponse {
  for (const frame of answer.data as DataFrame[]) {
    for (const { config } of frame.fields) {
      const { links, ...custom } = (config?.custom ?? {}) as { links?: DataLink[] };
      if (links) {
        config.links = links;
        config.custom = custom;
      }
    }
  }
  return answer;
}

/**
 * Whether the query is about the one bucket that a link led from. Explore of
 * Grafana 9.4 does not say which point was clicked, and leaves the variable as
 * it is: the whole range is meant then.
 */
export function hasPoint(query: Query): boolean {
  return /^\d+$/.test(query.at ?? '');
}
