// The page of the newest supported Grafana: its packages, and the loader that
// it takes plugins with.
import * as data from '@grafana/data';
import * as runtime from '@grafana/runtime';
import * as ui from '@grafana/ui';
import React from 'react';
import { createRoot, type Root } from 'react-dom/client';
import * as rxjs from 'rxjs';
import 'systemjs/dist/system.js';
import 'systemjs/dist/extras/amd.js';
import { start } from '../mount/host';

interface Loader {
  shouldFetch(): boolean;
  fetch(url: string, options?: object): Promise<Response>;
}

declare const System: {
  constructor: { prototype: Loader };
  set(id: string, module: unknown): void;
  addImportMap(map: { imports: Record<string, string> }): void;
  import(id: string): Promise<unknown>;
};

declare global {
  interface Window {
    define: unknown;
    __grafana_amd_define: unknown;
  }
}

// Modules are fetched, and alone given SystemJS's define: Monaco has one of its own.
window.__grafana_amd_define = window.define;
window.define = undefined;
const loader = System.constructor.prototype;
const fetchPlain = loader.fetch;
loader.shouldFetch = () => true;
loader.fetch = async (url, options) => {
  const source = await (await fetchPlain(url, options)).text();
  const wrapped = `(function(define) {\n  ${source}\n})(window.__grafana_amd_define);`;
  return new Response(new Blob([wrapped], { type: 'text/javascript' }));
};

let root: Root | undefined;

void start({
  data,
  runtime,
  ui,
  react: React,
  rxjs,
  render(element, place) {
    root ??= createRoot(place);
    root.render(element);
  },
  load(url, provided) {
    const imports: Record<string, string> = {};
    for (const [name, module] of Object.entries(provided)) {
      imports[name] = `package:${name}`;
      System.set(imports[name], module);
    }
    System.addImportMap({ imports });
    return System.import(url);
  },
});
