import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const vendored = new URL('../static/vendor/echarts/', import.meta.url);
const installed = new URL('../node_modules/echarts/', import.meta.url);

/** @type {Record<string, string>} */
const origin = { 'echarts.common.min.js': 'dist/echarts.common.min.js', LICENSE: 'LICENSE', NOTICE: 'NOTICE', 'LICENSE-d3': 'licenses/LICENSE-d3' };

test('the chart library in the tree is the one that npm installs', () => {
  assert.deepEqual(readdirSync(vendored).sort(), Object.keys(origin).sort());
  for (const [name, path] of Object.entries(origin)) {
    assert.ok(readFileSync(new URL(name, vendored)).equals(readFileSync(new URL(path, installed))), `${name} differs; npm run vendor`);
  }
});
