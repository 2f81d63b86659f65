import type { CoreApp, DataQueryRequest, DataQueryResponse, DataSourceInstanceSettings, MetricFindValue, QueryFixAction, ScopedVars, TimeRange } from '@grafana/data';
import { DataSourceWithBackend, getTemplateSrv } from '@grafana/runtime';
import { map, type Observable } from 'rxjs';
import { adHoc, interpolate, type AdHocFilter, type Templates } from './conditions';
import { apart } from './explore';
import { hasPoint, restore } from './links';
import { defaultQuery, type Cond, type Named, type Op, type Options, type Query, type VariableQuery } from './types';

/** The template service of Grafanas that do not hand ad hoc filters over with the query. */
type OldTemplates = Templates & { getAdhocFilters?(name: string): AdHocFilter[] };

/** What Explore calls the clicks beside a value. */
const clicks: Record<string, Op> = { ADD_FILTER: 'eq', ADD_FILTER_OUT: 'ne' };

export class DataSource extends DataSourceWithBackend<Query, Options> {
  private lists = new Map<string, Promise<Named[]>>();

  constructor(settings: DataSourceInstanceSettings<Options>) {
    super(settings);
  }

  getDefaultQuery(_: CoreApp): Partial<Query> {
    return defaultQuery;
  }

  query(request: DataQueryRequest<Query>): Observable<DataQueryResponse> {
    const answer = super.query(request).pipe(map(restore));
    return (request.app as string) === 'explore' ? answer.pipe(map(apart)) : answer;
  }

  /** A trace of no run is not asked for; the editor waits for an id. */
  filterQuery(query: Query): boolean {
    return query.queryType !== 'trace' || Boolean(query.run_id);
  }

  applyTemplateVariables(query: Query, scoped: ScopedVars, filters?: AdHocFilter[]): Query {
    const templates = getTemplateSrv() as OldTemplates;
    const text = (s?: string) => (s ? templates.replace(s, scoped) : s);
    const extra = filters ?? templates.getAdhocFilters?.(this.name) ?? [];
    return {
      ...query,
      where: [...interpolate(query.where ?? [], templates, scoped), ...adHoc(extra)],
      step: text(query.step),
      run_id: text(query.run_id)?.trim(),
      at: hasPoint(query) ? query.at : undefined,
      legend: query.legend,
    };
  }

  /** The query with what a click on a value in Explore says: only this one, or all others. */
  modifyQuery(query: Query, action: QueryFixAction): Query {
    const { key, value } = action.options ?? {};
    const op = clicks[action.type];
    return op && key && value !== undefined ? { ...query, where: [...(query.where ?? []), { dim: key, op, values: [value] }] } : query;
  }

  /** The values of a template variable. */
  async metricFindQuery(query: VariableQuery, options?: { range?: TimeRange; scopedVars?: ScopedVars }): Promise<MetricFindValue[]> {
    if (!query?.dim) {
      return [];
    }
    const where = interpolate(query.where ?? [], getTemplateSrv() as Templates, options?.scopedVars ?? {});
    const values = await this.values(query.dim, { where, range: options?.range });
    return values.map((text) => ({ text }));
  }

  /** What ad hoc filters can be about. */
  async getTagKeys(): Promise<MetricFindValue[]> {
    return (await this.dimensions()).map(({ name }) => ({ text: name }));
  }

  async getTagValues(options: { key: string; timeRange?: TimeRange; filters?: AdHocFilter[] }): Promise<MetricFindValue[]> {
    const where = adHoc((options.filters ?? []).filter((f) => f.key !== options.key && f.value));
    const values = await this.values(options.key, { where, range: options.timeRange });
    return values.map((text) => ({ text }));
  }

  dimensions(): Promise<Named[]> {
    return this.list('dimensions');
  }

  measures(): Promise<Named[]> {
    return this.list('measures');
  }

  /** The values of a dimension that runs have, the most frequent first. */
  async values(dim: string, more: { prefix?: string; where?: Cond[]; range?: TimeRange; limit?: number } = {}): Promise<string[]> {
    const answer = await this.postResource<{ values: string[] }>('values', {
      dim,
      prefix: more.prefix,
      where: more.where,
      limit: more.limit,
      from: more.range?.from.toISOString(),
      to: more.range?.to.toISOString(),
    });
    return answer.values;
  }

  /** A list that changes only with the collector's version, so it is asked for once. */
  private list(what: 'dimensions' | 'measures'): Promise<Named[]> {
    let list = this.lists.get(what);
    if (!list) {
      list = this.getResource<Record<string, Named[]>>(what).then((answer) => answer[what]);
      list.catch(() => this.lists.delete(what)); // so that the next one asks anew
      this.lists.set(what, list);
    }
    return list;
  }
}
