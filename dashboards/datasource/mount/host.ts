// The part of Grafana that a data source's editors live in, made of a Grafana's
// own packages. Only what a browser's page cannot have is replaced: the server
// behind getBackendSrv, and the variables of a dashboard.
import type * as Data from '@grafana/data';
import type * as Runtime from '@grafana/runtime';
import type * as Ui from '@grafana/ui';
import type * as React from 'react';
import type * as Rxjs from 'rxjs';

/** What differs between Grafanas. */
export interface Parts {
  data: typeof Data;
  runtime: typeof Runtime;
  ui: typeof Ui;
  react: typeof React;
  rxjs: typeof Rxjs;
  /** Draws the element into the place. */
  render(element: React.ReactElement, place: Element): void;
  /** Loads a plugin's module.js, to which the modules are provided, as this Grafana does it. */
  load(url: string, provided: Record<string, unknown>): Promise<unknown>;
}

/** An editor of the plugin. */
export type Editor = 'query' | 'variable' | 'config';

/** What a test does with the page. */
export interface Host {
  /** Mounts the editor on a model, in place of the one before. */
  mount(editor: Editor, model: object): void;
  /** The model that the editor has emitted last; undefined if none. */
  emitted(): unknown;
  /** How often the editor asked for its query to be run. */
  ran(): number;
  /** Has the data source asked the query, with ad hoc filters and variables, and gives the frames and error. */
  ask(query: object, filters: object[], variables: Record<string, unknown>): Promise<unknown>;
}

declare global {
  interface Window {
    host?: Host;
  }
}

const uid = 'ff';
const range = { from: '2026-11-23T09:00:00Z', to: '2026-11-23T10:00:00Z' };

/** Loads the plugin and puts window.host into the page; the theme is in the page's address. */
export async function start(parts: Parts): Promise<void> {
  const { data, runtime, ui, react } = parts;
  let variables: Record<string, unknown> = {};
  let adHoc: object[] = [];
  runtime.setBackendSrv(backend(parts) as unknown as Runtime.BackendSrv);
  runtime.setTemplateSrv(templates(() => variables, () => adHoc) as unknown as Runtime.TemplateSrv);
  const module = (await parts.load('/public/plugins/firstframe-datasource/module.js', {
    '@grafana/data': data,
    '@grafana/runtime': runtime,
    '@grafana/ui': ui,
    react,
  })) as { plugin: Data.DataSourcePlugin<any, any, any, any> };

  const mode = new URLSearchParams(location.search).get('theme') === 'light' ? 'light' : 'dark';
  const theme = data.createTheme({ colors: { mode } });
  runtime.config.theme2 = theme;
  document.body.style.background = theme.colors.background.primary;
  const place = document.body.appendChild(document.createElement('main'));

  let emitted: unknown;
  let ran = 0;
  let key = 0;
  const source = () => {
    const made = new module.plugin.DataSourceClass({ uid, id: 1, name: 'Firstframe', type: 'firstframe-datasource', meta: {}, jsonData: {} } as never);
    return Object.assign(made, { type: 'firstframe-datasource', meta: {} });
  };
  const from = data.dateTime(range.from);
  const to = data.dateTime(range.to);
  const timeRange = { from, to, raw: { from, to } };

  /** Keeps the model, as a panel's editor, a dashboard's settings or the data source's page would. */
  function Keeper({ editor, model }: { editor: Editor; model: object }) {
    const [value, setValue] = react.useState(model);
    const [datasource] = react.useState(source);
    const keep = (next: object) => {
      emitted = next;
      setValue(next);
    };
    const { components } = module.plugin;
    switch (editor) {
      case 'query':
        return react.createElement(components.QueryEditor!, { datasource, query: value, range: timeRange, onChange: keep, onRunQuery: () => void ran++ } as never);
      case 'variable':
        return react.createElement(components.VariableQueryEditor, { datasource, query: value, onChange: (query: object, definition: string) => {
          keep(query);
          emitted = { query, definition };
        } });
      case 'config':
        return react.createElement(components.ConfigEditor!, { options: value, onOptionsChange: keep } as never);
    }
  }

  window.host = {
    mount(editor, model) {
      emitted = undefined;
      ran = 0;
      const { Provider } = ui.ThemeContext;
      parts.render(react.createElement(Provider, { value: theme }, react.createElement(ui.GlobalStyles), react.createElement(Keeper, { key: key++, editor, model })), place);
    },
    emitted: () => emitted,
    ran: () => ran,
    async ask(query, filters, values) {
      [variables, adHoc] = [values, filters];
      const request = { requestId: 'Q1', targets: [query], filters, range: timeRange, scopedVars: {}, interval: '10s', intervalMs: 10000, maxDataPoints: 400, app: 'dashboard', timezone: 'utc', startTime: 0 };
      const answer = await parts.rxjs.lastValueFrom(source().query(request as never) as Rxjs.Observable<Data.DataQueryResponse>);
      const fields = answer.data.map((frame: Data.DataFrame) =>
        frame.fields.map((f) => ({ name: f.name, unit: f.config.unit, values: Array.from({ length: f.values.length }, (_, i) => f.values.get(i)) }))
      );
      return JSON.parse(JSON.stringify({ error: answer.error?.message, fields }));
    },
  };
}

/** getBackendSrv: it only carries requests to the page's server. */
function backend({ rxjs }: Parts) {
  const fetchOne = async (request: { url: string; method?: string; data?: unknown; headers?: Record<string, string> }) => {
    const answer = await fetch(request.url.startsWith('/') ? request.url : `/${request.url}`, {
      method: request.method ?? 'GET',
      headers: { ...request.headers, 'Content-Type': 'application/json' },
      body: request.data === undefined ? undefined : JSON.stringify(request.data),
    });
    const data = await answer.json();
    const { status, statusText } = answer;
    if (!answer.ok) {
      throw { status, statusText, data };
    }
    return { ok: true, status, statusText, data };
  };
  return { fetch: (request: never) => rxjs.from(fetchOne(request)) };
}

/** getTemplateSrv over these variables, as far as a data source uses it. Before 11, it has the ad hoc filters too. */
function templates(variables: () => Record<string, unknown>, adHoc: () => object[]) {
  return {
    getAdhocFilters: adHoc,
    getVariables: () => Object.entries(variables()).map(([name, value]) => ({ name, multi: Array.isArray(value), current: { value } })),
    replace: (text = '', _scoped = {}, format?: (value: unknown) => string) =>
      text.replace(/\$(\w+)|\$\{(\w+)\}/g, (whole, a, b) => {
        const value = variables()[a ?? b];
        return value === undefined ? whole : typeof format === 'function' ? format(value) : String(value);
      }),
  };
}
