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

declare const System: {
  set(id: string, module: unknown): void;
  addImportMap(map: { imports: Record<string, string> }): void;
  import(id: string): Promise<unknown>;
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
