import { describe, expect, test } from '@jest/globals';
import { silentLog } from '@lagoon/base';
import type { DistanceMetric, DocumentId, IdKind, Schema } from '@lagoon/format';
import type { Arena } from '@lagoon/vector';
import fc from 'fast-check';
import type { Filter } from './filter.ts';
import { answer, computedOf } from './oracle.ts';
import { filter, ids, nullable, rankBy, schemaOf, values } from './oracle-samples.ts';
import type { QueryEngine } from './query-engine.ts';
import type { ConsistencySpec, QuerySpec, RankBy } from './query-spec.ts';
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

const scenario = fc.constantFrom<IdKind>('u64', 'uuid', 'string').chain((idKind) =>
  fc.record({
    idKind: fc.constant(idKind),
    metric: fc.constantFrom<DistanceMetric>('cosine_distance', 'euclidean_squared', 'dot_product'),
    steps: fc.array(step(idKind), { minLength: 1, maxLength: 8 }),
    queries: fc.array(
      fc.record({
        rankBy: rankBy(idKind),
        filter: nullable(filter(idKind)),
        limit: fc.integer({ min: 1, max: 12 }),
        computed: fc.array(rankBy(idKind), { maxLength: 2 }),
      }),
      {
        minLength: 1,
        maxLength: 6,
      },
    ),
  }),
);

type Scenario = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

const strong: ConsistencySpec = { level: 'strong', stalenessMsMax: 0, generationMin: 0 };

interface Asked {
  readonly rankBy: RankBy;
  readonly filter: Filter | null;
  readonly limit: number;
  readonly computed: readonly RankBy[];
}

function toSpec({ rankBy, filter, limit, computed }: Asked): QuerySpec {
  const values = computed.flatMap((of, i) =>
    of.kind === 'order' || of.kind === 'aggregate' ? [] : [{ name: `computed${i}`, of }],
  );
  return { rankBy, limit, projection: { kind: 'all' }, values, ...(filter === null ? {} : { filter }) };
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
    const documents = [...model.values()];
    for (const { id, attributes, values = [] } of rows) {
      const document = model.get(id) as TestDocument;
      const wanted = (spec.values ?? []).map((value) => computedOf(schema, documents, document, value));
      expect([id, ...values.map(({ value }) => value)]).toEqual([id, ...wanted]);
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
