import { compareBytes, utf8Encode } from '@lagoon/base';
import { type AttributeValue, type DocumentId, type Schema, type SparseEntry, unpackSparseEntry } from '@lagoon/format';
import type { Comparison, Filter, FuzzyFilter, PatternFilter, TokenFilter } from './filter.ts';
import type { AggregateGroup } from './query-result.ts';
import type { Aggregate, OrderKey, QuerySpec, ValueSpec } from './query-spec.ts';
import { createScorer, orZero } from './score-oracle.ts';
import type { TestDocument } from './testing.ts';

/** A brute-force reference over plain documents, for tests: says in the simplest way what a query must answer. */
export interface OracleRow {
  readonly id: DocumentId;
  readonly dist?: number;
}

export function answer(schema: Schema, documents: readonly TestDocument[], spec: QuerySpec): OracleRow[] {
  const filtered = documents.filter((document) => spec.filter === undefined || admits(schema, document, spec.filter));
  const ranked = rank(schema, documents, filtered, spec.rankBy);
  return withLimitPer(documents, ranked, spec.limitPer).slice(0, spec.limit);
}

/** The rule, row by row. */
function withLimitPer(documents: readonly TestDocument[], rows: OracleRow[], per: QuerySpec['limitPer']): OracleRow[] {
  if (per === undefined) return rows;
  const byId = new Map(documents.map((document) => [document.id, document]));
  const counts = new Map<string, number>();
  return rows.filter(({ id }) => {
    const key = per.attributes.map((name) => String(byId.get(id)?.values[name] ?? null)).join('|');
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return (counts.get(key) ?? 0) <= per.limit;
  });
}

/** Groups as (keys, values), in the order of their keys. */
export function answerGroups(schema: Schema, documents: readonly TestDocument[], spec: QuerySpec): AggregateGroup[] {
  const { rankBy, filter, limit } = spec;
  if (rankBy.kind !== 'aggregate') throw new Error('no aggregation');
  const filtered = documents.filter((document) => filter === undefined || admits(schema, document, filter));
  const groups = new Map<string, { readonly keys: AttributeValue[]; readonly members: TestDocument[] }>();
  if (rankBy.groupBy.length === 0) groups.set('', { keys: [], members: [] });
  for (const document of filtered) {
    let paths: AttributeValue[][] = [[]];
    for (const { attribute } of rankBy.groupBy) {
      const value = attributeOf(document, attribute);
      const keys = Array.isArray(value) ? [...new Set(value)] : [value === 0 ? 0 : value];
      paths = paths.flatMap((path) => keys.map((key) => [...path, key]));
    }
    for (const keys of paths) {
      const name = keys.map((key) => `${typeof key}:${key}`).join('|');
      const group = groups.get(name) ?? { keys, members: [] };
      groups.set(name, group);
      group.members.push(document);
    }
  }
  const byKeys = (a: { readonly keys: AttributeValue[] }, b: { readonly keys: AttributeValue[] }) =>
    a.keys.reduce<number>((order, key, i) => order || compareValues(key, b.keys[i] as AttributeValue), 0);
  return [...groups.values()]
    .sort(byKeys)
    .slice(0, limit)
    .map(({ keys, members }) => ({ keys, values: rankBy.aggregates.map((one) => aggregateOf(schema, members, one)) }));
}

/** Sums of floats: those of the tests are multiples of 1/4 below 2⁴⁰, which are exact in any order. */
function aggregateOf(
  schema: Schema,
  members: readonly TestDocument[],
  { kind, attribute }: Aggregate,
): bigint | number {
  if (attribute === undefined) return BigInt(members.length);
  const values = members.map((document) => attributeOf(document, attribute)).filter((value) => value !== null);
  if (kind === 'count') return BigInt(values.length);
  const type = schema.attributes.get(attribute)?.type;
  return type?.kind === 'scalar' && type.scalar === 'float'
    ? (values as number[]).reduce((sum, value) => sum + value, 0)
    : (values as bigint[]).reduce((sum, value) => sum + value, 0n);
}

function rank(
  schema: Schema,
  documents: readonly TestDocument[],
  filtered: readonly TestDocument[],
  rankBy: QuerySpec['rankBy'],
): OracleRow[] {
  const byId = (a: OracleRow, b: OracleRow) => compareValues(a.id, b.id);
  if (rankBy.kind === 'order') {
    return [...filtered].sort((a, b) => compareByKeys(a, b, rankBy.keys)).map(({ id }) => ({ id }));
  }
  if (rankBy.kind === 'vector') {
    const metric = schema.attributes.get(rankBy.attribute)?.ann?.distanceMetric ?? 'cosine_distance';
    return filtered
      .filter(({ values }) => values[rankBy.attribute] != null)
      .map(({ id, values }) => ({
        id,
        dist: distance(metric, values[rankBy.attribute] as readonly number[], [...rankBy.query]),
      }))
      .sort((a, b) => a.dist - b.dist || byId(a, b));
  }
  if (rankBy.kind === 'sparse') {
    return filtered
      .filter(({ values }) => values[rankBy.attribute] != null)
      .map(({ id, values }) => ({ id, dist: sparseDot(values[rankBy.attribute] as readonly bigint[], rankBy.query) }))
      .sort((a, b) => b.dist - a.dist || byId(a, b));
  }
  if (rankBy.kind === 'aggregate') throw new Error('an aggregation ranks no rows');
  const scorer = createScorer(schema, documents, rankBy.expression, (document, filter) =>
    admits(schema, document, filter),
  );
  return filtered
    .map((document) => ({ id: document.id, dist: orZero(scorer(document)) }))
    .filter(({ dist }) => dist > 0)
    .sort((a, b) => b.dist - a.dist || byId(a, b));
}

/** What a row has by one ranking, whether or not it would be ranked; null where it has nothing. */
export function computedOf(
  schema: Schema,
  documents: readonly TestDocument[],
  document: TestDocument,
  { of }: ValueSpec,
): number | null {
  if (of.kind !== 'text') return rank(schema, [document], [document], of)[0]?.dist ?? null;
  const scorer = createScorer(schema, documents, of.expression, (one, filter) => admits(schema, one, filter));
  const score = scorer(document);
  return Number.isNaN(score) ? null : score;
}

function sparseDot(entries: readonly bigint[], query: readonly SparseEntry[]): number {
  const weights = new Map(entries.map(unpackSparseEntry).map(({ dimension, weight }) => [dimension, weight]));
  return query.reduce((sum, { dimension, weight }) => sum + weight * (weights.get(dimension) ?? 0), 0);
}

/** Sums of small integers are exact in f32, so only the last steps round. */
function distance(metric: string, a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
  if (metric === 'dot_product') return 0 - dot;
  if (metric === 'euclidean_squared') return a.reduce((sum, value, i) => sum + (value - (b[i] as number)) ** 2, 0);
  const norm = (vector: readonly number[]) => {
    const square = vector.reduce((sum, value) => sum + value * value, 0);
    return square === 0 ? 0 : Math.fround(1 / Math.sqrt(square));
  };
  return Math.fround(1 - Math.fround(Math.fround(dot * norm(a)) * norm(b)));
}

function compareByKeys(a: TestDocument, b: TestDocument, keys: readonly OrderKey[]): number {
  for (const { attribute, descending } of keys) {
    const [x, y] = [a, b].map((document) => attributeOf(document, attribute));
    const order = compareValues(x ?? null, y ?? null);
    if (order !== 0) return descending ? -order : order;
  }
  return compareValues(a.id, b.id);
}

function attributeOf(document: TestDocument, attribute: string): AttributeValue {
  return attribute === 'id' ? document.id : ((document.values[attribute] ?? null) as AttributeValue);
}

/** Null first; strings and uuids by UTF-8 bytes. */
function compareValues(a: AttributeValue, b: AttributeValue): number {
  if (a === null || b === null) return Number(b === null) - Number(a === null);
  if (typeof a === 'string' && typeof b === 'string') return compareBytes(utf8Encode(a), utf8Encode(b));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

export function admits(schema: Schema, document: TestDocument, filter: Filter): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.filters.every((inner) => admits(schema, document, inner));
    case 'or':
      return filter.filters.some((inner) => admits(schema, document, inner));
    case 'not':
      return !admits(schema, document, filter.filter);
    case 'comparison':
      return compares(attributeOf(document, filter.attribute), filter);
    case 'pattern': {
      const matches = textsOf(document, filter.attribute).some((text) => matchesPattern(text, filter));
      return filter.operator === 'notGlob' || filter.operator === 'notIGlob' ? !matches : matches;
    }
    case 'fuzzy':
      return textsOf(document, filter.attribute).some((text) => isNear(text, filter));
    case 'tokens':
      return hasTokens(textsOf(document, filter.attribute), filter);
  }
}

function textsOf(document: TestDocument, attribute: string): readonly string[] {
  const value = attributeOf(document, attribute);
  if (value === null) return [];
  return typeof value === 'string' ? [value] : (value as readonly string[]);
}

function compares(value: AttributeValue, filter: Comparison): boolean {
  const [first] = filter.values;
  const elements: readonly AttributeValue[] = Array.isArray(value) ? value : [];
  const anyElement = (holds: (order: number) => boolean): boolean =>
    first !== undefined && elements.some((element) => holds(compareValues(element, first)));
  switch (filter.operator) {
    case 'eq':
      return first !== undefined && equal(value, first);
    case 'notEq':
      return first === undefined || !equal(value, first);
    case 'in':
      return filter.values.some((wanted) => containsOrEquals(value, wanted));
    case 'notIn':
      return !filter.values.some((wanted) => containsOrEquals(value, wanted));
    case 'lt':
      return first !== undefined && compareValues(value, first) < 0;
    case 'lte':
      return first !== undefined && compareValues(value, first) <= 0;
    case 'gt':
      return first !== undefined && compareValues(value, first) > 0;
    case 'gte':
      return first !== undefined && compareValues(value, first) >= 0;
    case 'anyLt':
      return anyElement((order) => order < 0);
    case 'anyLte':
      return anyElement((order) => order <= 0);
    case 'anyGt':
      return anyElement((order) => order > 0);
    case 'anyGte':
      return anyElement((order) => order >= 0);
    case 'contains':
    case 'containsAny':
      return filter.values.some((wanted) => elements.some((element) => equal(element, wanted)));
    case 'notContains':
    case 'notContainsAny':
      return !filter.values.some((wanted) => elements.some((element) => equal(element, wanted)));
  }
}

function containsOrEquals(value: AttributeValue, wanted: AttributeValue): boolean {
  return Array.isArray(value) ? value.some((element) => equal(element, wanted)) : equal(value, wanted);
}

function equal(a: AttributeValue, b: AttributeValue): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((element, i) => equal(element, b[i] as AttributeValue));
  }
  if (a === null || b === null) return a === b;
  return typeof a === typeof b && compareValues(a, b) === 0;
}

/** Expressions of the tests mean the same to JavaScript. */
function matchesPattern(text: string, { operator, pattern }: PatternFilter): boolean {
  if (operator === 'regex') return new RegExp(pattern, 'u').test(text);
  const ignoresCase = operator === 'iGlob' || operator === 'notIGlob';
  return ignoresCase
    ? matchesGlob([...text.toLowerCase()], [...pattern.toLowerCase()])
    : matchesGlob([...text], [...pattern]);
}

/** `*`, `?` and `[ab]` by trying everything. */
function matchesGlob(text: readonly string[], [first, ...rest]: readonly string[]): boolean {
  const [char, ...others] = text;
  if (first === undefined) return char === undefined;
  if (first === '*') return matchesGlob(text, rest) || (char !== undefined && matchesGlob(others, [first, ...rest]));
  if (char === undefined) return false;
  if (first === '?') return matchesGlob(others, rest);
  if (first !== '[') return char === first && matchesGlob(others, rest);
  const end = rest.indexOf(']');
  return rest.slice(0, end).includes(char) && matchesGlob(others, rest.slice(end + 1));
}

/** Every part of the text against the query, by the definition of the distance. */
function isNear(text: string, { query, maxEditDistance, caseSensitive }: FuzzyFilter): boolean {
  const fold = (one: string): string[] => [...(caseSensitive ? one : one.toLowerCase())];
  const [chars, wanted] = [fold(text), fold(query)];
  const step = maxEditDistance
    .filter(({ minQueryChars }) => minQueryChars <= wanted.length)
    .sort((a, b) => b.minQueryChars - a.minQueryChars)[0];
  if (step === undefined) return false;
  for (let from = 0; from <= chars.length; from++) {
    for (let to = from; to <= chars.length; to++) {
      if (levenshtein(chars.slice(from, to), wanted) <= step.distance) return true;
    }
  }
  return false;
}

function levenshtein(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (const [i, char] of a.entries()) {
    const next = [i + 1];
    for (const [j, other] of b.entries()) {
      const [above, left, diagonal] = [row[j + 1] as number, next[j] as number, row[j] as number];
      next.push(Math.min(above + 1, left + 1, diagonal + Number(char !== other)));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** Texts of the tests are lower-case ASCII words with single spaces. */
function hasTokens(texts: readonly string[], filter: TokenFilter): boolean {
  const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');
  const wanted = filter.texts.flatMap(words);
  const isWanted = (index: number, word: string | undefined): boolean =>
    filter.lastAsPrefix && index === wanted.length - 1
      ? (word?.startsWith(wanted[index] as string) ?? false)
      : word === wanted[index];
  const all = texts.flatMap(words);
  const has = (_: string, index: number): boolean => all.some((word) => isWanted(index, word));
  if (wanted.length === 0) return false;
  if (filter.operator === 'all') return wanted.every(has);
  if (filter.operator === 'any') return wanted.some(has);
  return texts
    .map(words)
    .some((list) => list.some((_word, start) => wanted.every((_one, i) => isWanted(i, list[start + i]))));
}
