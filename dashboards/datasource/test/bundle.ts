import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';

test('the bundle is one AMD module that asks for what Grafana provides', () => {
  execFileSync('node', ['build.mjs']);
  const made: Record<string, unknown> = {};
  class DataSourcePlugin {
    constructor(public type: unknown) {}
    setConfigEditor(editor: unknown) {
      made.config = editor;
      return this;
    }
    setQueryEditor(editor: unknown) {
      made.query = editor;
      return this;
    }
    setVariableQueryEditor(editor: unknown) {
      made.variable = editor;
      return this;
    }
  }
  const provided: Record<string, unknown> = {
    '@grafana/data': { DataSourcePlugin },
    '@grafana/runtime': { DataSourceWithBackend: class {}, getTemplateSrv: () => undefined },
    '@grafana/ui': {},
    react: { createElement: () => null },
  };
  let exported: { plugin?: DataSourcePlugin } = {};
  const define = (names: string[], make: (...args: unknown[]) => typeof exported) => {
    assert.deepEqual([...names].sort(), Object.keys(provided).sort());
    exported = make(...names.map((name) => provided[name]));
  };
  runInNewContext(readFileSync('dist/module.js', 'utf8'), { define });
  assert.ok(exported.plugin instanceof DataSourcePlugin);
  assert.deepEqual(Object.values(made).map((editor) => typeof editor), ['function', 'function', 'function']);
});
