// Serves the page of one Grafana on this machine: the host page, the built
// plugin, icons, and what Grafana's server would answer, as recorded from the
// plugin's binary with a collector behind it.
import { createReadStream, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, normalize } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

/** A resource call and its answer. */
interface Recorded {
  method: string;
  path: string;
  body?: Record<string, unknown>;
  status: number;
  answer: unknown;
}

/** A running server. */
export interface Server {
  url: string;
  /** Resource calls of which there is no recorded answer: mistakes of the test. */
  unknown: string[];
  /** The bodies of the queries that were asked. */
  queries: Array<{ queries: Array<Record<string, unknown>> }>;
  /** Answers resource calls as if the collector were away. */
  down: boolean;
  close(): Promise<void>;
}

const types: Record<string, string> = { '.js': 'text/javascript', '.svg': 'image/svg+xml', '.css': 'text/css', '.ttf': 'font/ttf' };
const page = (name: string) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${name}</title><link rel="icon" href="data:,">
<style>label{display:inline-block}fieldset{border:0;margin:0;padding:0}*,*::before,*::after{box-sizing:border-box}main{max-width:1000px;padding:16px}</style>
<body><script>window.grafanaBootData = { settings: {}, user: {}, navTree: [] }</script><script type="module" src="/page/page.js"></script></body></html>`;
const resources = '/api/datasources/uid/ff/resources/';

/** Serves the page that was built into dist-mount/name. */
export async function serve(name: string): Promise<Server> {
  const recorded: Recorded[] = JSON.parse(readFileSync('testdata/recorded.json', 'utf8'));
  const state = { unknown: [] as string[], queries: [] as Server['queries'], down: false };
  const file = (res: ServerResponse, folder: string, path: string) => {
    const stream = createReadStream(folder + normalize(`/${path}`));
    stream.on('open', () => res.writeHead(200, { 'Content-Type': types[extname(path)] ?? 'application/octet-stream' }));
    stream.on('error', () => res.writeHead(404).end());
    stream.pipe(res);
  };
  const resource = (method: string, path: string, body: Record<string, unknown> | undefined) => {
    const { from, to, limit, ...asked } = body ?? {};
    const want = body && { prefix: '', where: [], ...asked };
    const found = recorded.find((r) => r.method === method && r.path === path && isDeepStrictEqual(r.body, want) && (r.status === 502) === state.down);
    if (!found) {
      state.unknown.push(`${method} ${path} ${JSON.stringify(want)}`);
    }
    return found ?? { status: 404, answer: { message: 'not recorded' } };
  };
  const answer = async (req: IncomingMessage, res: ServerResponse) => {
    const { pathname: path } = new URL(req.url ?? '/', 'http://localhost');
    let text = '';
    for await (const part of req) {
      text += part;
    }
    const json = (status: number, value: unknown) => res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    if (path === '/') {
      res.writeHead(200, { 'Content-Type': 'text/html' }).end(page(name));
    } else if (path.startsWith('/page/')) {
      file(res, `dist-mount/${name}/`, path.slice('/page/'.length));
    } else if (path.startsWith('/public/plugins/firstframe-datasource/')) {
      file(res, 'dist/', path.slice('/public/plugins/firstframe-datasource/'.length));
    } else if (path.includes('/img/icons/')) {
      file(res, 'newest/node_modules/@grafana/ui/dist/public/', path.slice(path.indexOf('img/icons/')));
    } else if (path.startsWith(resources)) {
      const { status, answer } = resource(req.method ?? '', path.slice(resources.length), text ? JSON.parse(text) : undefined);
      json(status, answer);
    } else if (path === '/api/ds/query') {
      const asked: Server['queries'][0] = JSON.parse(text);
      state.queries.push(asked);
      const found = recorded.find((r) => r.path === 'query' && isDeepStrictEqual(r.body?.group_by, asked.queries[0].group_by));
      json(found?.status ?? 404, found?.answer);
    } else {
      json(404, { message: `there is no ${path}` });
    }
  };
  const server = createServer((req, res) => {
    answer(req, res).catch((e) => res.writeHead(500).end(String(e)));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return Object.assign(state, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  });
}
