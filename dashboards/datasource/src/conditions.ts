import type { ScopedVars } from '@grafana/data';
import type { Cond, Op } from './types';

/** What is needed of Grafana's template service. */
export interface Templates {
  replace(text?: string, scoped?: ScopedVars, format?: string | Function): string;
  getVariables(): unknown[];
}

/** A variable, of the kinds that Grafana has; only what is read here. */
interface Variable {
  name?: string;
  multi?: boolean;
  includeAll?: boolean;
  allValue?: string | null;
  current?: { value?: unknown };
}

/** An ad hoc filter of any supported Grafana. */
export interface AdHocFilter {
  key: string;
  operator: string;
  value: string;
  values?: string[];
}

const oneVariable = /^(?:\$(\w+)|\$\{(\w+)(?::\w+)?\}|\[\[(\w+)(?::\w+)?\]\])$/;
const all = '$__all';

/** The text as a pattern that matches itself alone, in RE2's syntax. */
export function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/**
 * The values that a text with variables stands for; null for "All", whose
 * variable has no value of its own for it.
 */
export function expand(text: string, pattern: boolean, templates: Templates, scoped: ScopedVars): string[] | null {
  const found = oneVariable.exec(text);
  const name = found && (found[1] ?? found[2] ?? found[3]);
  if (!name) {
    return [templates.replace(text, scoped, 'csv')];
  }
  const variable = (templates.getVariables() as Variable[]).find((v) => v.name === name);
  const current = scoped[name] ? scoped[name]?.value : variable?.current?.value;
  if (!variable?.allValue && (Array.isArray(current) ? current.includes(all) : current === all)) {
    return null;
  }
  const values: string[] = [];
  const left = templates.replace('${' + name + '}', scoped, (value: unknown) => {
    for (const v of Array.isArray(value) ? value : [value]) {
      values.push(pattern && (variable?.multi || variable?.includeAll) && v !== variable?.allValue ? escapePattern(String(v)) : String(v));
    }
    return '';
  });
  return left === '' ? values : [left]; // an unknown variable stays as it is, so that the mistake is seen
}

const many: Partial<Record<Op, Op>> = { eq: 'in', ne: 'not_in' };

/**
 * The conditions with their variables' values. One on "All" or on nothing
 * chosen is left out: it restricts nothing.
 */
export function interpolate(where: Cond[], templates: Templates, scoped: ScopedVars): Cond[] {
  const out: Cond[] = [];
  for (const cond of where) {
    if (!cond.dim || cond.op === 'exists') {
      cond.dim && out.push(cond);
      continue;
    }
    const pattern = cond.op === 'match' || cond.op === 'not_match';
    const lists = (cond.values ?? []).map((v) => expand(v, pattern, templates, scoped));
    if (lists.includes(null)) {
      if (cond.op === 'ne' || cond.op === 'not_in' || cond.op === 'not_match') {
        throw new Error(`${cond.dim} is to be none of All, which leaves no runs: choose values`);
      }
      continue;
    }
    const values = lists.flatMap((list) => list ?? []).filter((v) => v !== '');
    if (values.length === 0) {
      continue;
    }
    if (pattern && values.length > 1) {
      out.push({ ...cond, values: [values.map((v) => `(?:${v})`).join('|')] });
    } else {
      out.push({ ...cond, op: values.length > 1 ? many[cond.op] ?? cond.op : cond.op, values });
    }
  }
  return out;
}

const operators: Record<string, Op> = { '=': 'eq', '!=': 'ne', '=~': 'match', '!~': 'not_match', '=|': 'in', '!=|': 'not_in' };

/** Ad hoc filters as conditions. */
export function adHoc(filters: AdHocFilter[]): Cond[] {
  return filters
    .filter((f) => f.key)
    .map((f) => {
      const op = operators[f.operator];
      if (!op) {
        throw new Error(`the filter ${f.key} ${f.operator} ${f.value}: only ${Object.keys(operators).join(' ')} are understood`);
      }
      return { dim: f.key, op, values: op.endsWith('in') && f.values?.length ? f.values : [f.value] };
    });
}
