import type { DataFrame, DataQueryResponse } from '@grafana/data';

/**
 * The answer with a frame for each series. Explore's graph, as of Grafana 9.4,
 * counts frames to see whether there are other series than before: of one frame
 * for all it goes on to draw as many as it had at first.
 */
export function apart(answer: DataQueryResponse): DataQueryResponse {
  return { ...answer, data: (answer.data as DataFrame[]).flatMap(split) };
}

function split(frame: DataFrame): DataFrame[] {
  const [time, ...series] = frame.fields;
  if (frame.meta?.preferredVisualisationType !== 'graph' || series.length < 2) {
    return [frame];
  }
  return series.map((field, i) => ({
    ...frame,
    meta: i === 0 ? frame.meta : { ...frame.meta, notices: undefined }, // told once
    fields: [time, field],
  }));
}
