import { beforeAll, describe, expect, test } from '@jest/globals';
import { createSeededRandom } from '@lagoon/base';
import type { AttributeSchema, DistanceMetric, Schema, VectorElement } from '@lagoon/format';
import type { ObjectStore } from '@lagoon/object-store';
import { buildIvf, createInlineExecutor, type ListCodec, loadKernelModule } from '@lagoon/vector';
import type { Filter } from './filter.ts';
import type { QueryEngine } from './query-engine.ts';
import type { QueryResult } from './query-result.ts';
import type { QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace, type TestDocument, type TestNamespace } from './testing.ts';

const strong = { level: 'strong', stalenessMsMax: 0, generationMin: 0 } as const;
const dims = 64;
const rowCount = 8_000;
const clusterCount = 100;
const module = loadKernelModule();
const cluster = {
  rowCountMin: 500,
  build: (...[rows, options]: Parameters<typeof buildIvf> extends [infer R, infer O, ...unknown[]] ? [R, O] : never) =>
    buildIvf(rows, { ...options, leafRows: 60, learningQueryCount: 64 }, module, createInlineExecutor(module)),
};

const random = createSeededRandom(5);
const normal = (): number => random.float() + random.float() + random.float() - 1.5;
const centers = Array.from({ length: clusterCount }, () => Array.from({ length: dims }, () => 2.5 * normal()));
const vectorDocuments = Array.from({ length: rowCount }, (_, n): TestDocument => {
  const center = centers[random.integer(clusterCount)] as number[];
  return {
    id: BigInt((n * 7919) % 100_003),
    values: { v: center.map((x) => x + normal()), size: BigInt((n * 7907) % 1_000), note: `note ${n}` },
  };
});
const queries = vectorDocuments
  .filter((_, n) => n % 1_600 === 5)
  .map(({ values }) => Float32Array.from(values.v as number[], (x) => x * 1.01));

function schemaOf(distanceMetric: DistanceMetric, codec: ListCodec, element: VectorElement): Schema {
  const type = { kind: 'vector', element, dims } as const;
  return {
    idKind: 'u64',
    attributes: new Map<string, AttributeSchema>([
      ['v', { type, filterable: false, ann: { distanceMetric, codec } }],
      ['size', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
      ['note', { type: { kind: 'scalar', scalar: 'string' }, filterable: false }],
    ]),
  };
}

const nearest = (query: Float32Array, more: Partial<QuerySpec> = {}): QuerySpec => ({
  ...{ rankBy: { kind: 'vector', attribute: 'v', query, exact: false }, limit: 10 },
  ...{ projection: { kind: 'include', names: ['note'] }, traced: true },
  ...more,
});
const below = (value: number): Filter => ({
  ...{ kind: 'comparison', attribute: 'size', operator: 'lt', values: [BigInt(value)] },
});

/** Components that the element holds. */
function held(element: VectorElement, vector: Float32Array): Float32Array {
  return element === 'i8' ? vector.map((x) => Math.max(-128, Math.min(127, Math.round(15 * x)))) : vector;
}

/** Two segments, of which the first has dead rows, and a tail. */
async function open(metric: DistanceMetric, codec: ListCodec, element: VectorElement = 'f32'): Promise<TestNamespace> {
  const namespace = createTestNamespace(schemaOf(metric, codec, element), { cluster });
  const documents = vectorDocuments.map(({ id, values }) => ({
    id,
    values: { ...values, v: held(element, Float32Array.from(values.v as number[])) },
  }));
  await namespace.write(documents.slice(0, 5_000));
  await namespace.index();
  await namespace.write(
    documents.slice(5_000, rowCount - 40),
    documents.slice(100, 130).map(({ id }) => id),
  );
  await namespace.index();
  await namespace.write(documents.slice(rowCount - 40));
  return namespace;
}

const byPieces = { wholeBytesMax: 64 << 10, budgetBytes: 128 << 20 };

type Range = NonNullable<Parameters<ObjectStore['get']>[1]>['range'];

function isAt(range: Range, start: number): boolean {
  return range !== undefined && 'start' in range && range.start === start;
}

function stepsOf({ steps = [] }: QueryResult): readonly string[] {
  return steps.map(({ step }) => step);
}

/** On a node that knows nothing, which leaves nothing pinned. */
async function cold(
  namespace: Pick<TestNamespace, 'store'>,
  spec: QuerySpec,
  store?: ObjectStore,
): Promise<QueryResult> {
  const { engine, cache } = createTestEngine(namespace, { ...byPieces, ...(store === undefined ? {} : { store }) });
  try {
    return await engine.query('docs', spec, strong);
  } finally {
    await engine.close();
    expect(cache.statistics.pinnedBytes).toBe(0);
  }
}

async function warm(namespace: TestNamespace, element: VectorElement): Promise<QueryEngine> {
  const { engine } = createTestEngine(namespace, { wholeBytesMax: 1 << 30, budgetBytes: 128 << 20 });
  await engine.query('docs', nearest(held(element, queries[0] as Float32Array)), strong);
  return engine;
}

const cases = [
  { codec: 'flat', metric: 'cosine_distance', element: 'f32' },
  { codec: 'flat', metric: 'euclidean_squared', element: 'f32' },
  { codec: 'int8', metric: 'dot_product', element: 'f32' },
  { codec: 'pq4', metric: 'cosine_distance', element: 'f32' },
  { codec: 'flat', metric: 'cosine_distance', element: 'f16' },
  { codec: 'pq4', metric: 'cosine_distance', element: 'f16' },
  { codec: 'flat', metric: 'cosine_distance', element: 'i8' },
  { codec: 'pq4', metric: 'euclidean_squared', element: 'i8' },
] as const;

describe('search by pieces', () => {
  test.each(cases)(
    'answers what a warm node answers, to the bit, $codec, $metric, $element',
    async ({ codec, metric, element }) => {
      const namespace = await open(metric, codec, element);
      const whole = await warm(namespace, element);
      for (const [i, float] of queries.entries()) {
        const query = held(element, float);
        for (const filter of [undefined, below(500), below(3)]) {
          const isLarge = i === 0;
          const spec = nearest(query, { ...(filter === undefined ? {} : { filter }), limit: isLarge ? 60 : 10 });
          const expected = await whole.query('docs', spec, strong);
          const found = await cold(namespace, spec);
          expect(found.rows).toEqual(expected.rows);
          if (!isLarge) expect(stepsOf(found)).toContain('pieces');
          expect(stepsOf(expected)).not.toContain('pieces');
          if (!isLarge) expect(found.statistics.storeBytes).toBeLessThan(rowCount * dims * 4 * 0.8);
        }
      }
      await whole.close();
    },
  );

  describe('where the tail has killed rows of segments', () => {
    let namespace: TestNamespace;

    beforeAll(async () => {
      namespace = await open('cosine_distance', 'int8');
    });

    test('they are not answered, and those behind them are', async () => {
      const spec = nearest(queries[1] as Float32Array);
      const before = await cold(namespace, nearest(queries[1] as Float32Array, { limit: 14 }));
      const [first, second, third] = before.rows.map(({ id }) => id) as [bigint, bigint, bigint];
      await namespace.write([{ id: second, values: { v: centers[0] as number[], note: 'moved' } }], [first]);
      const after = await cold(namespace, spec);
      expect(after.rows).toEqual(before.rows.slice(2, 12));
      expect(after.rows[0]?.id).toBe(third);
      expect(stepsOf(after)).toContain('pieces');
    });

    test('and too few candidates are left, the segments are loaded whole: the answer is never short', async () => {
      const query = queries[2] as Float32Array;
      const many = await cold(namespace, nearest(query, { limit: 500 }));
      await namespace.write(
        [],
        many.rows.map(({ id }) => id),
      );
      const after = await cold(namespace, nearest(query));
      expect(after.rows).toHaveLength(10);
      expect(stepsOf(after)).not.toContain('pieces');
      const exact = await cold(
        namespace,
        nearest(query, { rankBy: { kind: 'vector', attribute: 'v', query, exact: true } }),
      );
      expect(after.rows.filter(({ id }) => exact.rows.some((row) => row.id === id)).length).toBeGreaterThanOrEqual(8);
    });
  });

  test('a segment that is in memory is searched there, beside pieces of another', async () => {
    const namespace = createTestNamespace(schemaOf('cosine_distance', 'int8', 'f32'), { cluster });
    await namespace.write(vectorDocuments.slice(0, 4_000));
    await namespace.index();
    const { engine } = createTestEngine(namespace, byPieces);
    const exactSpec = (query: Float32Array) =>
      nearest(query, { rankBy: { kind: 'vector', attribute: 'v', query, exact: true } });
    await engine.query('docs', exactSpec(queries[0] as Float32Array), strong); // brings its vectors and ids
    await namespace.write(vectorDocuments.slice(4_000));
    await namespace.index();
    const { engine: whole } = createTestEngine(namespace, { wholeBytesMax: 1 << 30, budgetBytes: 128 << 20 });
    for (const query of queries) {
      const expected = await whole.query('docs', nearest(query), strong);
      expect((await engine.query('docs', nearest(query), strong)).rows).toEqual(expected.rows);
    }
    await engine.close();
    await whole.close();
  });

  test('a namespace that is searched so twice within a minute is brought into memory, where it fits', async () => {
    const namespace = await open('cosine_distance', 'int8');
    const spec = nearest(queries[1] as Float32Array);
    const isByPieces = async (engine: QueryEngine) =>
      stepsOf(await engine.query('docs', spec, strong)).includes('pieces');
    const { engine } = createTestEngine(namespace, byPieces);
    expect([await isByPieces(engine), await isByPieces(engine)]).toEqual([true, true]);
    let queryCount = 0;
    while ((await isByPieces(engine)) && queryCount < 1_000) queryCount++;
    expect(queryCount).toBeLessThan(1_000);
    const before = (await engine.query('docs', spec, strong)).statistics.storeBytes;
    expect(before).toBeLessThan(1_000);
    await engine.close();
    const { engine: small } = createTestEngine(namespace, { ...byPieces, budgetBytes: 3 << 20 });
    for (let i = 0; i < 20; i++) expect(await isByPieces(small)).toBe(true);
    await small.close();
  });

  test('a damaged piece is corrupt and names its segment', async () => {
    const namespace = await open('cosine_distance', 'int8');
    const spec = nearest(queries[3] as Float32Array);
    const reads: { readonly key: string; readonly start: number }[] = [];
    const listening: ObjectStore = {
      ...namespace.store,
      get: (key, options, signal) => {
        if (options?.range !== undefined && 'start' in options.range && key.startsWith('data/'))
          reads.push({ key, start: options.range.start });
        return namespace.store.get(key, options, signal);
      },
    };
    await cold(namespace, spec, listening);
    for (const damaged of [reads[2], reads.at(-1)]) {
      const store: ObjectStore = {
        ...namespace.store,
        get: async (key, options, signal) => {
          const object = await namespace.store.get(key, options, signal);
          if (object === undefined || key !== damaged?.key || !isAt(options?.range, damaged.start)) return object;
          const bytes = object.bytes.slice();
          bytes[7] = (bytes[7] as number) ^ 1;
          return { ...object, bytes };
        },
      };
      await expect(cold(namespace, spec, store)).rejects.toMatchObject({
        code: 'corrupt',
        context: { key: damaged?.key },
      });
    }
  });

  test('an object that is gone under it makes the query start over', async () => {
    const namespace = await open('cosine_distance', 'int8');
    const spec = nearest(queries[3] as Float32Array);
    const expected = await cold(namespace, spec);
    for (const goneAt of [4, 6, 9]) {
      let readCount = 0;
      const store: ObjectStore = {
        ...namespace.store,
        get: async (key, options, signal) => {
          const isGone = key.startsWith('data/') && ++readCount === goneAt;
          return isGone ? undefined : await namespace.store.get(key, options, signal);
        },
      };
      expect((await cold(namespace, spec, store)).rows).toEqual(expected.rows);
      expect(readCount).toBeGreaterThan(goneAt);
    }
  });

  test('a caller that leaves lets everything go', async () => {
    const namespace = await open('cosine_distance', 'int8');
    for (let leaveAt = 1; leaveAt < 30; leaveAt += 3) {
      const controller = new AbortController();
      let readCount = 0;
      const store: ObjectStore = {
        ...namespace.store,
        get: (key, options, signal) => {
          if (++readCount === leaveAt) controller.abort(new Error('left'));
          return namespace.store.get(key, options, signal);
        },
      };
      const { engine, cache } = createTestEngine(namespace, { ...byPieces, store });
      const answered = engine.query('docs', nearest(queries[4] as Float32Array), strong, controller.signal);
      await answered.catch((error: unknown) => expect(error).toMatchObject({ message: 'left' }));
      await engine.close();
      expect(cache.statistics.pinnedBytes).toBe(0);
    }
  });
});
