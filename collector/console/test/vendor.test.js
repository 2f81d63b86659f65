import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const vendored = new URL('../static/vendor/echarts/', import.meta.url);
const installed = new URL('../node_modules/', import.meta.url);

/** @type {Record<string, string>} */
const origin = {
  'echarts.common.min.js': 'echarts/dist/echarts.common.min.js',
  LICENSE: 'echarts/LICENSE',
  NOTICE: 'echarts/NOTICE',
  'LICENSE-d3': 'echarts/licenses/LICENSE-d3',
  'LICENSE-zrender': 'zrender/LICENSE',
};

test('the chart library in the tree is the one that npm installs', () => {
  assert.deepEqual(readdirSync(vendored).sort(), Object.keys(origin).sort());
  for (const [name, path] of Object.entries(origin)) {
    assert.ok(readFileSync(new URL(name, vendored)).equals(readFileSync(new URL(path, installed))), `${name} differs; npm run vendor`);
  }
});
