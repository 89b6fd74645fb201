import {
  type AttributeSchema,
  type AttributeValue,
  type DistanceMetric,
  type DocumentId,
  type FullTextSearch,
  type IdKind,
  packSparseEntry,
  type Schema,
} from '@lagoon/format';
import fc from 'fast-check';
import type { Filter } from './filter.ts';
import { sampleFilters } from './filter-samples.ts';
import type { RankBy } from './query-spec.ts';
import type { ScoreExpression } from './score-expression.ts';
import type { TestDocument } from './testing.ts';

/** Random documents and queries over a schema of every kind of attribute, for tests that compare with brute force (`oracle.ts`). */
const fullTextSearch: FullTextSearch = {
  tokenizer: 'word_v4',
  language: 'english',
  stemming: false,
  removeStopwords: false,
  caseSensitive: false,
  asciiFolding: false,
  maxTokenLength: 39,
  k1: 1.2,
  k3: 8,
  b: 0.75,
};

const vectorElements = { v: 'f32', half: 'f16', byte: 'i8' } as const;
const vectorNames = ['v', 'half', 'byte'] as const;

/** Attributes of every kind. */
export function schemaOf(idKind: IdKind, distanceMetric: DistanceMetric): Schema {
  const ann = { distanceMetric };
  const scalar = (name: 'string' | 'int' | 'uint' | 'float' | 'uuid' | 'datetime' | 'bool') => ({
    type: { kind: 'scalar' as const, scalar: name },
    filterable: true,
  });
  return {
    idKind,
    attributes: new Map<string, AttributeSchema>([
      ...vectorNames.map((name) => {
        const type = { kind: 'vector', element: vectorElements[name], dims: 3 } as const;
        return [name, { type, filterable: false, ann }] as const;
      }),
      [
        'w',
        {
          type: { kind: 'vector', element: 'f32', dims: 2 },
          filterable: false,
          ann: { distanceMetric: 'euclidean_squared' },
        },
      ],
      ['text', { type: { kind: 'scalar', scalar: 'string' }, filterable: false, fullTextSearch }],
      [
        'note',
        {
          type: { kind: 'scalar', scalar: 'string' },
          filterable: true,
          fullTextSearch: { ...fullTextSearch, k1: 2, b: 0.3, k3: 0.5 },
        },
      ],
      ['sparse', { type: { kind: 'array', scalar: 'entry' }, filterable: false, sparseKnn: true }],
      ['s', { ...scalar('string'), glob: true, regex: true, fuzzy: true }],
      ['i', scalar('int')],
      ['u', scalar('uint')],
      ['f', scalar('float')],
      ['g', scalar('uuid')],
      ['d', scalar('datetime')],
      ['b', scalar('bool')],
      ['lines', { type: { kind: 'array', scalar: 'string' }, filterable: false, fullTextSearch }],
      ['tags', { type: { kind: 'array', scalar: 'string' }, filterable: true, regex: true, fuzzy: true }],
      ['numbers', { type: { kind: 'array', scalar: 'int' }, filterable: true }],
    ]),
  };
}

/** Small pools, so that values collide; with the traps of 64 bits, signs and UTF-16 order. */
const pools = {
  s: ['', 'a', 'ab', 'abcdefg', 'abcdefh', 'AB/cd.txt', 'é', '\u{ffff}', '\u{10000}'],
  i: [0n, 1n, -1n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, 2n ** 32n],
  u: [0n, 1n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n],
  f: [0, -0, 1.5, -1.5, 1e300, -1e300, 5e-324],
  g: [
    '00000000-0000-0000-0000-000000000001',
    'ffffffff-0000-4000-8000-000000000000',
    '7fffffff-0000-4000-8000-00000000000a',
  ],
  d: [0n, -1n, 1_700_000_000_000n],
  b: [true, false],
  tags: ['x', 'y', 'zz', ''],
  numbers: [1n, 2n, -3n],
} as const;
const words = ['red', 'green', 'blue', 'deep', 'sea'];

export const ids: Record<IdKind, readonly DocumentId[]> = {
  u64: [0n, 1n, 2n, 3n, 255n, 256n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n],
  uuid: Array.from({ length: 9 }, (_, i) => `${String(i).repeat(8)}-0000-4000-8000-00000000000${i}`),
  string: ['a', 'b', 'aa', 'é', 'z', '\u{ffff}', '\u{10000}', 'doc-1', 'doc-2'],
};

export const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 4, nil: null });
const scalarNames = ['s', 'i', 'u', 'f', 'g', 'd', 'b'] as const;
const pick = (name: keyof typeof pools): fc.Arbitrary<AttributeValue> =>
  fc.constantFrom(...(pools[name] as readonly AttributeValue[]));
const vector = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 3, maxLength: 3 });

const shortVector = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 2, maxLength: 2 });

const line = fc.array(fc.constantFrom(...words), { maxLength: 4 }).map((list) => list.join(' '));
const sparse = fc
  .uniqueArray(
    fc.record({
      dimension: fc.constantFrom(0, 1, 7, 2 ** 32 - 1),
      weight: fc.constantFrom(0, 0.5, 1, 3, 2 ** -24, 65_504, -2),
    }),
    { selector: (entry) => entry.dimension, maxLength: 4 },
  )
  .map((entries) => entries.sort((a, b) => a.dimension - b.dimension));

export const values = fc.record({
  v: nullable(vector),
  half: nullable(vector),
  byte: nullable(vector),
  w: nullable(shortVector),
  text: nullable(fc.array(fc.constantFrom(...words), { maxLength: 6 }).map((list) => list.join(' '))),
  note: nullable(fc.array(fc.constantFrom(...words), { maxLength: 3 }).map((list) => list.join(' '))),
  sparse: nullable(sparse.map((entries) => entries.map(packSparseEntry))),
  s: nullable(pick('s')),
  i: nullable(pick('i')),
  u: nullable(pick('u')),
  f: nullable(pick('f')),
  g: nullable(pick('g')),
  d: nullable(pick('d')),
  b: nullable(pick('b')),
  lines: nullable(fc.array(line, { maxLength: 3 })),
  tags: nullable(fc.array(pick('tags'), { maxLength: 3 })),
  numbers: nullable(fc.array(pick('numbers'), { maxLength: 3 })),
}) as fc.Arbitrary<TestDocument['values']>;

function comparison(idKind: IdKind): fc.Arbitrary<Filter> {
  const scalar = fc.constantFrom(...scalarNames).chain((attribute) =>
    fc
      .oneof(
        fc.record({
          operator: fc.constantFrom('eq' as const, 'notEq' as const),
          values: nullable(pick(attribute)).map((value) => [value]),
        }),
        fc.record({
          operator: fc.constantFrom('in' as const, 'notIn' as const),
          values: fc.array(nullable(pick(attribute)), { maxLength: 7 }),
        }),
        fc.record({
          operator: fc.constantFrom('lt' as const, 'lte' as const, 'gt' as const, 'gte' as const),
          values: pick(attribute).map((value) => [value]),
        }),
      )
      .map((rest) => ({ kind: 'comparison' as const, attribute, ...rest })),
  );
  const array = fc.constantFrom('tags' as const, 'numbers' as const).chain((attribute) =>
    fc
      .oneof(
        fc.record({
          operator: fc.constantFrom('eq' as const, 'notEq' as const),
          values: nullable(fc.array(pick(attribute), { maxLength: 3 }) as fc.Arbitrary<AttributeValue>).map((value) => [
            value,
          ]),
        }),
        fc.record({
          operator: fc.constantFrom('in' as const, 'notIn' as const),
          values: fc.array(nullable(pick(attribute)), { maxLength: 3 }),
        }),
      )
      .map((rest) => ({ kind: 'comparison' as const, attribute, ...rest })),
  );
  const byId = fc.record({
    kind: fc.constant('comparison' as const),
    attribute: fc.constant('id'),
    operator: fc.constantFrom(
      'eq' as const,
      'notEq' as const,
      'lt' as const,
      'lte' as const,
      'gt' as const,
      'gte' as const,
    ),
    values: fc.constantFrom(...ids[idKind]).map((id) => [id]),
  });
  const others = sampleFilters({
    ...{ idKind, ids: ids[idKind], words },
    elements: { tags: pools.tags, numbers: pools.numbers },
    patterned: ['s', 'tags'],
    searched: ['text', 'note', 'lines'],
  });
  return fc.oneof(scalar, array, byId, { weight: 3, arbitrary: others }) as fc.Arbitrary<Filter>;
}

export function filter(idKind: IdKind): fc.Arbitrary<Filter> {
  return fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      comparison(idKind),
      fc.record({
        kind: fc.constantFrom('and' as const, 'or' as const),
        filters: fc.array(tie('filter'), { maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant('not' as const), filter: tie('filter') }),
    ),
  })).filter;
}

/** Of two text fields, prefixes, and everything that scores by rows; exponents that are powers and not. */
function expression(idKind: IdKind): fc.Arbitrary<ScoreExpression> {
  const bm25 = fc
    .record({
      attribute: fc.constantFrom('text', 'note'),
      query: fc.array(fc.constantFrom(...words, 'missing', 'b', 'de'), { minLength: 1, maxLength: 4 }),
      lastAsPrefix: fc.boolean(),
      isList: fc.boolean(),
    })
    .map(({ query, isList, ...rest }) => ({ kind: 'bm25' as const, query: isList ? query : query.join(' '), ...rest }));
  const attribute = fc.constantFrom('i', 'u', 'f', 'd', 'b');
  const origin = fc.constantFrom(0, 2.5, 1_700_000_000_000n);
  return fc.letrec<{ expression: ScoreExpression }>((tie) => ({
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 5, arbitrary: bm25 },
      { weight: 1, arbitrary: attribute.map((name) => ({ kind: 'attribute' as const, attribute: name })) },
      { weight: 1, arbitrary: comparison(idKind).map((inner) => ({ kind: 'filter' as const, filter: inner })) },
      {
        weight: 3,
        arbitrary: fc.record({
          kind: fc.constantFrom('sum' as const, 'max' as const),
          parts: fc.array(tie('expression'), { minLength: 1, maxLength: 3 }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          kind: fc.constant('product' as const),
          factor: fc.constantFrom(0, 0.5, 3, -2, 1e308, -1e308),
          part: tie('expression'),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constantFrom('saturate' as const, 'decay' as const),
          part: tie('expression'),
          midpoint: fc.constantFrom(0.3, 2, 1e9),
          exponent: fc.constantFrom(1, 2, 0.5),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('dist' as const), part: tie('expression'), origin }) },
    ),
  })).expression;
}

export const rankBy = (idKind: IdKind): fc.Arbitrary<RankBy> =>
  fc.oneof(
    {
      weight: 2,
      arbitrary: fc
        .record({
          attribute: fc.constantFrom(...vectorNames, 'w' as const),
          numbers: vector,
          exact: fc.boolean(),
        })
        .map(({ attribute, numbers, exact }) => ({
          ...{ kind: 'vector' as const, attribute, exact },
          query: Float32Array.from(attribute === 'w' ? numbers.slice(1) : numbers),
        })),
    },
    { weight: 1, arbitrary: sparse.map((query) => ({ kind: 'sparse' as const, attribute: 'sparse', query })) },
    { weight: 2, arbitrary: expression(idKind).map((score) => ({ kind: 'text' as const, expression: score })) },
    fc
      .uniqueArray(fc.record({ attribute: fc.constantFrom('id', ...scalarNames), descending: fc.boolean() }), {
        selector: (key) => key.attribute,
        minLength: 1,
        maxLength: 8,
      })
      .map((keys) => ({ kind: 'order' as const, keys })),
  );
