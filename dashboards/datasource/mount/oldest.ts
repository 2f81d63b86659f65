// The page of the oldest supported Grafana: its packages, and the loader that
// it takes plugins with.
import * as data from '@grafana/data';
import * as runtime from '@grafana/runtime';
import * as ui from '@grafana/ui';
import React from 'react';
import ReactDOM from 'react-dom';
import * as rxjs from 'rxjs';
import { start } from './host';

void start({
  data,
  runtime,
  ui,
  react: React,
  rxjs,
  render: (element, place) => ReactDOM.render(element, place),
  load(url, provided) {
    for (const [name, module] of Object.entries(provided)) {
      runtime.SystemJS.registerDynamic(name, [], true, (_require: unknown, _exports: unknown, made: { exports: unknown }) => {
        made.exports = module;
      });
    }
    return runtime.SystemJS.import(url);
  },
});
