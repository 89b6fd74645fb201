import { describe, expect, test } from '@jest/globals';
import { silentLog } from '@lagoon/base';
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
import type { Arena } from '@lagoon/vector';
import fc from 'fast-check';
import type { Filter } from './filter.ts';
import { sampleFilters } from './filter-samples.ts';
import { answer } from './oracle.ts';
import type { QueryEngine } from './query-engine.ts';
import type { ConsistencySpec, QuerySpec, RankBy } from './query-spec.ts';
import type { ScoreExpression } from './score-expression.ts';
import {
  createTestEngine,
  createTestNamespace,
  randomOrders,
  type TestDocument,
  type TestEngine,
  type TestNamespace,
} from './testing.ts';
import { createWorkerPool } from './worker-pool.ts';

/**
 * Random documents, schemas, filters and rankings in random layouts: batches, upserts and deletes in the tail, flat segments
 * with delete vectors, both. One engine follows every step, another one opens the namespace at its end.
 */
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

function schemaOf(idKind: IdKind, distanceMetric: DistanceMetric): Schema {
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

const ids: Record<IdKind, readonly DocumentId[]> = {
  u64: [0n, 1n, 2n, 3n, 255n, 256n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 64n - 1n],
  uuid: Array.from({ length: 9 }, (_, i) => `${String(i).repeat(8)}-0000-4000-8000-00000000000${i}`),
  string: ['a', 'b', 'aa', 'é', 'z', '\u{ffff}', '\u{10000}', 'doc-1', 'doc-2'],
};

const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 4, nil: null });
const scalarNames = ['s', 'i', 'u', 'f', 'g', 'd', 'b'] as const;
const pick = (name: keyof typeof pools): fc.Arbitrary<AttributeValue> =>
  fc.constantFrom(...(pools[name] as readonly AttributeValue[]));
const vector = fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 3, maxLength: 3 });

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

const values = fc.record({
  v: nullable(vector),
  half: nullable(vector),
  byte: nullable(vector),
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

type Step =
  | { readonly kind: 'write'; readonly documents: readonly TestDocument[]; readonly deletes: readonly DocumentId[] }
  | { readonly kind: 'index' }
  | { readonly kind: 'merge' };

function step(idKind: IdKind): fc.Arbitrary<Step> {
  const id = fc.constantFrom(...ids[idKind]);
  const write = fc
    .record({
      documents: fc.uniqueArray(fc.record({ id, values }), { selector: (document) => document.id, maxLength: 7 }),
      deletes: fc.uniqueArray(id, { maxLength: 3 }),
    })
    .map(({ documents, deletes }) => ({
      kind: 'write' as const,
      documents,
      deletes: deletes.filter((deleted) => !documents.some((document) => document.id === deleted)),
    }));
  const job = fc.constantFrom<Step>({ kind: 'index' }, { kind: 'index' }, { kind: 'merge' });
  return fc.oneof({ weight: 4, arbitrary: write }, { weight: 2, arbitrary: job });
}

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

function filter(idKind: IdKind): fc.Arbitrary<Filter> {
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

const rankBy = (idKind: IdKind): fc.Arbitrary<RankBy> =>
  fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('vector' as const),
        attribute: fc.constantFrom(...vectorNames),
        query: vector.map((query) => Float32Array.from(query)),
        exact: fc.constant(true),
      }),
    },
    { weight: 1, arbitrary: sparse.map((query) => ({ kind: 'sparse' as const, attribute: 'sparse', query })) },
    { weight: 2, arbitrary: expression(idKind).map((score) => ({ kind: 'text' as const, expression: score })) },
    fc
      .uniqueArray(fc.record({ attribute: fc.constantFrom('id', ...scalarNames), descending: fc.boolean() }), {
        selector: (key) => key.attribute,
        minLength: 1,
        maxLength: 3,
      })
      .map((keys) => ({ kind: 'order' as const, keys })),
  );

const scenario = fc.constantFrom<IdKind>('u64', 'uuid', 'string').chain((idKind) =>
  fc.record({
    idKind: fc.constant(idKind),
    metric: fc.constantFrom<DistanceMetric>('cosine_distance', 'euclidean_squared', 'dot_product'),
    steps: fc.array(step(idKind), { minLength: 1, maxLength: 8 }),
    queries: fc.array(
      fc.record({ rankBy: rankBy(idKind), filter: nullable(filter(idKind)), limit: fc.integer({ min: 1, max: 12 }) }),
      {
        minLength: 1,
        maxLength: 6,
      },
    ),
  }),
);

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

const strong: ConsistencySpec = { level: 'strong', stalenessMsMax: 0, generationMin: 0 };

function toSpec({ rankBy, filter, limit }: { rankBy: RankBy; filter: Filter | null; limit: number }): QuerySpec {
  return { rankBy, limit, projection: { kind: 'all' }, ...(filter === null ? {} : { filter }) };
}

async function expectAnswers(
  engine: QueryEngine,
  schema: Schema,
  model: ReadonlyMap<DocumentId, TestDocument>,
  specs: readonly QuerySpec[],
) {
  for (const spec of specs) {
    const { rows, statistics } = await engine.query('docs', spec, strong);
    const found = rows.map(({ id, dist }) => (dist === undefined ? { id } : { id, dist }));
    expect(found).toEqual(answer(schema, [...model.values()], spec));
    expect(statistics.rowCount).toBeGreaterThanOrEqual(model.size); // more where nobody needed to know which rows died
    for (const { id, attributes } of rows) {
      for (const { name, value } of attributes) {
        const plain = value instanceof Float32Array ? [...value] : value;
        expect([id, name, plain]).toEqual([id, name, model.get(id)?.values[name] ?? null]);
      }
    }
  }
}

/** Plays a scenario: one engine follows it, another one comes at its end. */
async function play(
  { idKind, metric, steps, queries }: Scenario,
  makeEngine: (namespace: TestNamespace) => TestEngine,
  layout: Pick<NonNullable<Parameters<typeof createTestNamespace>[1]>, 'flat' | 'orderOf'> = {},
): Promise<void> {
  const schema = schemaOf(idKind, metric);
  const namespace = createTestNamespace(schema, layout);
  const following = makeEngine(namespace);
  const model = new Map<DocumentId, TestDocument>();
  const specs = queries.map(toSpec);
  await namespace.write([]);
  for (const next of steps) {
    if (next.kind === 'index') await namespace.index();
    else if (next.kind === 'merge') await namespace.merge();
    else {
      await namespace.write(next.documents, next.deletes);
      for (const document of next.documents) model.set(document.id, document);
      for (const id of next.deletes) model.delete(id);
    }
    await expectAnswers(following.engine, schema, model, specs.slice(0, 2));
  }
  await expectAnswers(following.engine, schema, model, specs);
  const late = makeEngine(namespace);
  await expectAnswers(late.engine, schema, model, specs);
  for (const { engine, cache } of [following, late]) {
    await engine.close();
    expect(cache.statistics.pinnedBytes).toBe(0);
  }
}

describe('against brute force', () => {
  test('every layout gives the same ids, order and scores', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, (played) => play(played, (namespace) => createTestEngine(namespace))),
      { numRuns: 150 },
    );
  }, 60_000);

  test('flat segments of an earlier version too', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, (played) => play(played, (namespace) => createTestEngine(namespace), { flat: true })),
      { numRuns: 30 },
    );
  }, 60_000);

  test('rows of segments in any order too', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, fc.nat(), (played, seed) =>
        play(played, (namespace) => createTestEngine(namespace), { orderOf: randomOrders(seed) }),
      ),
      { numRuns: 150 },
    );
  }, 60_000);

  test('in search threads too', async () => {
    const makePool = (arena: Arena) =>
      createWorkerPool({ arena, log: silentLog }, { workerCount: 2, textIndexBytesMax: 1 << 20 });
    await fc.assert(
      fc.asyncProperty(scenario, fc.nat(), (played, seed) =>
        play(played, (namespace) => createTestEngine(namespace, { makePool }), { orderOf: randomOrders(seed) }),
      ),
      { numRuns: 6 },
    );
  }, 60_000);
});
