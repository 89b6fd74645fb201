import type { RowAnswer, TestDocument, TestValue } from './row-testing.ts';

/** A filter as the model reads it: a function, and what becomes of it in a request. */
export type ModelFilter =
  | {
      readonly kind: 'compare';
      readonly attribute: Attribute;
      readonly operator: Operator;
      readonly values: TestValue[];
    }
  | { readonly kind: 'not'; readonly filter: ModelFilter }
  | { readonly kind: 'and' | 'or'; readonly filters: readonly ModelFilter[] };

export type Attribute = 'id' | 'n' | 'm' | 's';
export type Operator = 'eq' | 'notEq' | 'in' | 'notIn' | 'lt' | 'lte' | 'gt' | 'gte';

export interface ModelWrite {
  readonly upserts: ReadonlyMap<number, TestDocument>;
  readonly patches: ReadonlyMap<number, TestDocument>;
  readonly deletes: readonly number[];
  readonly upsertCondition?: ModelFilter;
  readonly patchCondition?: ModelFilter;
  readonly deleteCondition?: ModelFilter;
  readonly deleteByFilter?: ModelFilter;
  readonly patchByFilter?: { readonly filter: ModelFilter; readonly patch: TestDocument };
}

export type ModelRows = ReadonlyMap<number, TestDocument>;

/** What a write does to plain documents, written for being read: the oracle of the property tests. */
export function applyToModel(before: ModelRows, write: ModelWrite): { rows: ModelRows; ids: RowAnswer['ids'] } {
  const rows = new Map(before);
  const ids = { upserted: new Set<number>(), patched: new Set<number>(), deleted: new Set<number>() };
  const { deleteByFilter, patchByFilter } = write;
  if (deleteByFilter !== undefined) {
    for (const [id, document] of [...rows]) {
      if (!matches(deleteByFilter, id, document)) continue;
      rows.delete(id);
      ids.deleted.add(id);
    }
  }
  if (patchByFilter !== undefined) {
    for (const [id, document] of [...rows]) {
      if (!matches(patchByFilter.filter, id, document)) continue;
      rows.set(id, patched(document, patchByFilter.patch));
      ids.patched.add(id);
    }
  }
  const seen = new Map(rows);
  const holds = (condition: ModelFilter | undefined, id: number, present: TestDocument, after: TestDocument): boolean =>
    condition === undefined || matches(condition, id, present, after);
  for (const [id, document] of write.upserts) {
    const present = seen.get(id);
    if (present !== undefined && !holds(write.upsertCondition, id, present, document)) continue;
    rows.set(id, document);
    ids.upserted.add(id);
  }
  for (const [id, patch] of write.patches) {
    const present = seen.get(id);
    if (present === undefined || !holds(write.patchCondition, id, present, patched(present, patch))) continue;
    rows.set(id, patched(present, patch));
    ids.patched.add(id);
  }
  for (const id of write.deletes) {
    const present = seen.get(id);
    if (present === undefined || !holds(write.deleteCondition, id, present, {})) continue;
    rows.delete(id);
    ids.deleted.add(id);
  }
  const sorted = (set: ReadonlySet<number>) => [...set].sort((a, b) => a - b);
  return {
    rows,
    ids: { upserted: sorted(ids.upserted), patched: sorted(ids.patched), deleted: sorted(ids.deleted) },
  };
}

function patched(document: TestDocument, patch: TestDocument): TestDocument {
  const after: Record<string, unknown> = { ...document };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete after[name];
    else if (value !== undefined) after[name] = value;
  }
  return after;
}

type Plain = number | string | null;

function matches(filter: ModelFilter, id: number, document: TestDocument, after: TestDocument = {}): boolean {
  switch (filter.kind) {
    case 'not':
      return !matches(filter.filter, id, document, after);
    case 'and':
      return filter.filters.every((inner) => matches(inner, id, document, after));
    case 'or':
      return filter.filters.some((inner) => matches(inner, id, document, after));
    case 'compare': {
      const read = (of: TestDocument, name: string): Plain => (name === 'id' ? id : (of[name as 'n'] ?? null));
      const isBound = typeof filter.values[0] === 'object' && filter.values[0] !== null;
      const values = filter.values.map((value) =>
        typeof value === 'object' && value !== null ? read(after, value.new) : value,
      );
      return compareValue(read(document, filter.attribute), filter.operator, values, isBound);
    }
  }
}

function compareValue(value: Plain, operator: Operator, values: readonly Plain[], isBound: boolean): boolean {
  const [bound = null] = values;
  switch (operator) {
    case 'eq':
      return value === bound;
    case 'notEq':
      return value !== bound;
    case 'in':
      return values.includes(value);
    case 'notIn':
      return !values.includes(value);
    default:
      if (isBound && bound === null) {
        if (operator === 'lt') return false;
        return operator === 'lte' ? value === null : value !== null;
      }
      if (value === null || bound === null) return operator === 'lt' || operator === 'lte';
      if (operator === 'lt') return value < bound;
      if (operator === 'lte') return value <= bound;
      return operator === 'gt' ? value > bound : value >= bound;
  }
}
