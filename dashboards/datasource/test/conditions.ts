import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adHoc, escapePattern, expand, interpolate, type Templates } from '../src/conditions';
import type { Cond } from '../src/types';

/** Grafana's template service for these variables, as far as it is used. */
function templates(variables: Record<string, { value: unknown; multi?: boolean; allValue?: string; options?: string[] }>): Templates {
  return {
    getVariables: () => Object.entries(variables).map(([name, v]) => ({ name, ...v, current: { value: v.value } })),
    replace: (text = '', scoped = {}, format) =>
      text.replace(/\$(\w+)|\$\{(\w+)(?::\w+)?\}/g, (whole, a, b) => {
        const name = a ?? b;
        const v = variables[name];
        let value = scoped[name]?.value ?? v?.value;
        if (value === undefined) {
          return whole;
        }
        if (v?.allValue && (value === '$__all' || (Array.isArray(value) && value.includes('$__all')))) {
          value = v.allValue;
        }
        return typeof format === 'function' ? format(value, v) : String(value);
      }),
  };
}

const vars = templates({
  country: { value: ['BR', 'DE'], multi: true },
  cdn: { value: ['$__all'], multi: true },
  pop: { value: '$__all', allValue: '.*' },
  app: { value: 'android' },
  version: { value: ['4.1.3', '4.2'], multi: true },
  none: { value: [], multi: true },
  pattern: { value: '4\\..*' },
});

const cases: Array<[string, Cond[], Cond[]]> = [
  ['plain values', [{ dim: 'cdn', op: 'eq', values: ['a'] }], [{ dim: 'cdn', op: 'eq', values: ['a'] }]],
  ['several values', [{ dim: 'country', op: 'eq', values: ['$country'] }], [{ dim: 'country', op: 'in', values: ['BR', 'DE'] }]],
  ['none of several', [{ dim: 'country', op: 'ne', values: ['${country}'] }], [{ dim: 'country', op: 'not_in', values: ['BR', 'DE'] }]],
  ['variables and values', [{ dim: 'country', op: 'in', values: ['$country', 'AR'] }], [{ dim: 'country', op: 'in', values: ['BR', 'DE', 'AR'] }]],
  ['All', [{ dim: 'cdn', op: 'in', values: ['$cdn'] }], []],
  ['All with a value of its own', [{ dim: 'pop', op: 'match', values: ['$pop'] }], [{ dim: 'pop', op: 'match', values: ['.*'] }]],
  ['nothing chosen', [{ dim: 'asn', op: 'in', values: ['$none'] }], []],
  ['no values', [{ dim: 'asn', op: 'in', values: [] }], []],
  ['no dimension yet', [{ dim: '', op: 'in', values: ['a'] }], []],
  ['part of a text', [{ dim: 'player', op: 'eq', values: ['$app@1'] }], [{ dim: 'player', op: 'eq', values: ['android@1'] }]],
  ['pattern of several', [{ dim: 'app_version', op: 'match', values: ['$version'] }], [{ dim: 'app_version', op: 'match', values: ['(?:4\\.1\\.3)|(?:4\\.2)'] }]],
  ['pattern of one', [{ dim: 'app_version', op: 'match', values: ['$pattern'] }], [{ dim: 'app_version', op: 'match', values: ['4\\..*'] }]],
  ['known', [{ dim: 'pop', op: 'exists', values: ['false'] }], [{ dim: 'pop', op: 'exists', values: ['false'] }]],
  ['unknown variable', [{ dim: 'cdn', op: 'eq', values: ['$nosuch'] }], [{ dim: 'cdn', op: 'eq', values: ['${nosuch}'] }]],
];
for (const [name, where, want] of cases) {
  test(name, () => assert.deepEqual(interpolate(where, vars, {}), want));
}

test('none of All is refused', () => {
  assert.throws(() => interpolate([{ dim: 'cdn', op: 'not_in', values: ['$cdn'] }], vars, {}), /leaves no runs/);
});

test('a repeated panel has its own value', () => {
  assert.deepEqual(expand('$cdn', false, vars, { cdn: { text: 'b', value: 'b' } }), ['b']);
  assert.deepEqual(interpolate([{ dim: 'cdn', op: 'in', values: ['$cdn'] }], vars, { cdn: { text: 'b', value: 'b' } }), [
    { dim: 'cdn', op: 'in', values: ['b'] },
  ]);
});

test('ad hoc filters', () => {
  assert.deepEqual(
    adHoc([
      { key: 'country', operator: '=', value: 'BR' },
      { key: 'cdn', operator: '!=', value: 'a' },
      { key: 'pop', operator: '=~', value: 'GRU.*' },
      { key: 'app', operator: '!~', value: 'tv' },
      { key: 'asn', operator: '=|', value: '1', values: ['1', '2'] },
      { key: '', operator: '=', value: '' },
    ]),
    [
      { dim: 'country', op: 'eq', values: ['BR'] },
      { dim: 'cdn', op: 'ne', values: ['a'] },
      { dim: 'pop', op: 'match', values: ['GRU.*'] },
      { dim: 'app', op: 'not_match', values: ['tv'] },
      { dim: 'asn', op: 'in', values: ['1', '2'] },
    ]
  );
  assert.throws(() => adHoc([{ key: 'asn', operator: '>', value: '5' }]), /only = != =~ !~/);
});

test('a value as a pattern matches itself', () => {
  for (const text of ['4.1.3', 'a+b', 'x|y', '(z)', '[0-9]', '\\d', '$5', '^', '{1}', '?*']) {
    assert.ok(new RegExp(`^(?:${escapePattern(text)})$`).test(text), text);
  }
});
