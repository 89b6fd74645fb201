import { describe, expect, test } from '@jest/globals';
import { createSeededRandom } from '@lagoon/base';
import type { AttributeSchema, DistanceMetric, ListCodec, Schema, VectorElement } from '@lagoon/format';
import { buildIvf, createInlineExecutor, loadKernelModule } from '@lagoon/vector';
import type { Filter } from './filter.ts';
import type { QueryEngine } from './query-engine.ts';
import type { QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace, type TestDocument } from './testing.ts';

/** Lists built by the real builder, against exact search on the same rows: near clusters, and filters that go with them or against. */
const strong = { level: 'strong', stalenessMsMax: 0, generationMin: 0 } as const;
const eventual = { level: 'eventual', stalenessMsMax: 60_000, generationMin: 0 } as const;
const dims = 24;
const clusterCount = 60;
const module = loadKernelModule();
const cluster = {
  rowCountMin: 500,
  build: (...[rows, options]: Parameters<typeof buildIvf> extends [infer R, infer O, ...unknown[]] ? [R, O] : never) =>
    buildIvf(rows, { ...options, leafRows: 40, learningQueryCount: 64 }, module, createInlineExecutor(module)),
};

interface Row {
  readonly id: number;
  readonly center: number;
  readonly v: number[];
}

function rowsOf(seed: number, count: number): Row[] {
  const random = createSeededRandom(seed);
  const normal = (): number => random.float() + random.float() + random.float() - 1.5;
  const centers = Array.from({ length: clusterCount }, () => Array.from({ length: dims }, () => 2.5 * normal()));
  return Array.from({ length: count }, (_, i) => {
    const center = random.integer(clusterCount);
    return { id: (i * 7919) % 100_003, center, v: (centers[center] as number[]).map((x) => x + normal()) };
  });
}

function schemaOf(
  distanceMetric: DistanceMetric,
  codec: ListCodec,
  columns: readonly string[],
  element: VectorElement,
): Schema {
  const scalar = { type: { kind: 'scalar' as const, scalar: 'int' as const }, filterable: true };
  const type = { kind: 'vector', element, dims } as const;
  const attributes = new Map<string, AttributeSchema>([
    ...columns.map((name) => [name, { type, filterable: false, ann: { distanceMetric, codec } }] as const),
    ['random', scalar],
    ['center', scalar],
  ]);
  return { idKind: 'u64', attributes };
}

function documentOf({ id, center, v }: Row, index: number, columns: readonly string[]): TestDocument {
  const vectors = Object.fromEntries(columns.map((name) => [name, name === 'v' ? v : v.toReversed()]));
  const values = { random: BigInt((index * 7907) % 10_000), center: BigInt(center) };
  return { id: BigInt(id), values: index % 50 === 7 ? values : { ...vectors, ...values } };
}

/** Components as i8 has them. */
function rounded(vector: Float32Array): Float32Array {
  return vector.map((x) => Math.max(-128, Math.min(127, Math.round(20 * x))));
}

function roundedRow(row: Row): Row {
  return { ...row, v: [...rounded(Float32Array.from(row.v))] };
}

interface Measured {
  readonly recall: number;
  readonly scoredRows: number;
}

async function measure(
  engine: QueryEngine,
  attribute: string,
  queries: readonly Float32Array[],
  filter: (query: number) => Filter | undefined,
  limit = 10,
): Promise<Measured> {
  let found = 0;
  let wanted = 0;
  let scoredRows = 0;
  for (const [i, query] of queries.entries()) {
    const admitted = filter(i);
    const spec = (exact: boolean): QuerySpec => ({
      rankBy: { kind: 'vector', attribute, query, exact },
      limit,
      projection: { kind: 'none' },
      ...(admitted === undefined ? {} : { filter: admitted }),
    });
    const { rows, statistics } = await engine.query('docs', spec(false), eventual);
    const exact = await engine.query('docs', spec(true), eventual);
    expect(rows.length).toBe(exact.rows.length);
    const distances = new Map(exact.rows.map(({ id, dist }) => [id, dist]));
    for (const { id, dist } of rows) {
      if (!distances.has(id)) continue;
      expect(dist).toBe(distances.get(id));
      found++;
    }
    wanted += exact.rows.length;
    scoredRows += statistics.scoredRowCount;
  }
  return { recall: wanted === 0 ? 1 : found / wanted, scoredRows: scoredRows / queries.length };
}

const below = (attribute: string, value: number): Filter => ({
  kind: 'comparison',
  attribute,
  operator: 'lt',
  values: [BigInt(value)],
});
const oneOf = (attribute: string, operator: 'in' | 'notIn', values: readonly number[]): Filter => ({
  kind: 'comparison',
  attribute,
  operator,
  values: values.map(BigInt),
});

async function open(
  metric: DistanceMetric,
  codec: ListCodec,
  rows: readonly Row[],
  columns: readonly string[] = ['v'],
  element: VectorElement = 'f32',
) {
  const documents = rows.map((row, index) => documentOf(row, index, columns));
  const namespace = createTestNamespace(schemaOf(metric, codec, columns, element), { cluster });
  const part = Math.floor(rows.length / 2);
  const deleted = documents.slice(100, 130).map(({ id }) => id);
  await namespace.write(documents.slice(0, part));
  await namespace.index();
  await namespace.write(documents.slice(part, rows.length - 60), deleted);
  await namespace.index();
  await namespace.write(
    [...documents.slice(rows.length - 60), { ...(documents[3] as TestDocument) }],
    documents.slice(130, 140).map(({ id }) => id),
  );
  const { engine } = createTestEngine(namespace, { budgetBytes: 128 << 20 });
  await engine.query(
    'docs',
    {
      rankBy: { kind: 'order', keys: [{ attribute: 'id', descending: false }] },
      limit: 1,
      projection: { kind: 'none' },
    },
    strong,
  );
  return engine;
}

describe('search by lists', () => {
  const rows = rowsOf(1, 4_000);
  const queryRows = rows.filter((_, i) => i % 230 === 0);
  const queries = queryRows.map(({ v }) => Float32Array.from(v, (x) => x * 1.01));

  const cases: readonly { codec: ListCodec; metric: DistanceMetric; element: VectorElement }[] = [
    { codec: 'flat', metric: 'cosine_distance', element: 'f32' },
    { codec: 'int8', metric: 'dot_product', element: 'f32' },
    { codec: 'pq4', metric: 'cosine_distance', element: 'f32' },
    { codec: 'pq4', metric: 'euclidean_squared', element: 'f32' },
    { codec: 'flat', metric: 'euclidean_squared', element: 'f16' },
    { codec: 'pq4', metric: 'cosine_distance', element: 'f16' },
    { codec: 'int8', metric: 'cosine_distance', element: 'i8' },
    { codec: 'pq4', metric: 'dot_product', element: 'i8' },
  ];

  test.each(cases)(
    'keeps its recall at every selectivity, $codec, $metric, $element',
    async ({ codec, metric, element }) => {
      const isInteger = element === 'i8';
      const engine = await open(metric, codec, isInteger ? rows.map(roundedRow) : rows, ['v'], element);
      const asked = isInteger ? queries.map(rounded) : queries;
      const all = await measure(engine, 'v', asked, () => undefined);
      expect(all.recall).toBeGreaterThanOrEqual(0.95);
      expect(all.scoredRows).toBeLessThan(rows.length / 6);
      for (const perTenThousand of [5_000, 1_000, 100, 10, 1]) {
        const random = await measure(engine, 'v', asked, () => below('random', perTenThousand));
        expect([perTenThousand, random.recall >= 0.95]).toEqual([perTenThousand, true]);
        expect(random.scoredRows).toBeLessThan(1.3 * all.scoredRows);
      }
      for (const count of [1, 6, 30]) {
        const near = (query: number) =>
          Array.from({ length: count }, (_, i) => ((queryRows[query]?.center ?? 0) + i) % clusterCount);
        const correlated = await measure(engine, 'v', asked, (query) => oneOf('center', 'in', near(query)));
        const against = await measure(engine, 'v', asked, (query) => oneOf('center', 'notIn', near(query)));
        expect([count, correlated.recall >= 0.95, against.recall >= 0.95]).toEqual([count, true, true]);
      }
    },
    60_000,
  );

  const layouts: readonly { name: string; sizes: readonly number[]; isSorted: boolean }[] = [
    { name: 'ten segments of one size', sizes: Array.from({ length: 10 }, () => 600), isSorted: false },
    { name: 'ten segments, each of clusters of its own', sizes: Array.from({ length: 10 }, () => 600), isSorted: true },
    { name: 'one large and six small ones', sizes: [4_000, 1_000, 300, 250, 200, 150, 100], isSorted: false },
  ];
  test.each(layouts)(
    'keeps its recall where an answer is spread: $name',
    async ({ sizes, isSorted }) => {
      const many = rowsOf(3, 6_000);
      if (isSorted) many.sort((a, b) => a.center - b.center);
      const asked = many.filter((_, i) => i % 120 === 0).map(({ v }) => Float32Array.from(v, (x) => x * 1.01));
      const namespace = createTestNamespace(schemaOf('cosine_distance', 'pq4', ['v'], 'f32'), {
        cluster: { ...cluster, rowCountMin: 100 },
      });
      let end = 0;
      for (const size of sizes) {
        const part = many.slice(end, end + size).map((row, i) => documentOf(row, end + i, ['v']));
        await namespace.write(part);
        await namespace.index();
        end += size;
      }
      const { engine } = createTestEngine(namespace, { budgetBytes: 128 << 20 });
      await engine.metadata('docs');
      const all = await measure(engine, 'v', asked, () => undefined);
      expect(all.recall).toBeGreaterThanOrEqual(0.95);
      expect(all.scoredRows).toBeLessThan(many.length / 2);
      for (const limit of [1, 100]) {
        expect((await measure(engine, 'v', asked.slice(0, 20), () => undefined, limit)).recall).toBeGreaterThanOrEqual(
          0.95,
        );
      }
      const some = await measure(engine, 'v', asked, () => below('random', 1_000));
      expect(some.recall).toBeGreaterThanOrEqual(0.95);
    },
    60_000,
  );

  test('a second vector column has lists of its own, and many rows are found as well as few', async () => {
    const engine = await open('cosine_distance', 'pq4', rows, ['v', 'second']);
    const reversed = queries.map((query) => query.toReversed());
    const second = await measure(engine, 'second', reversed, () => undefined);
    expect(second.recall).toBeGreaterThanOrEqual(0.95);
    expect(second.scoredRows).toBeLessThan(rows.length / 6);
    expect((await measure(engine, 'second', reversed, () => below('random', 1_000))).recall).toBeGreaterThanOrEqual(
      0.95,
    );
    expect((await measure(engine, 'v', queries.slice(0, 5), () => undefined, 300)).recall).toBeGreaterThanOrEqual(0.95);
    expect((await measure(engine, 'v', queries.slice(0, 2), () => undefined, 7_000)).recall).toBe(1);
  });

  test('a traced query says what it did with each segment, and why', async () => {
    const engine = await open('cosine_distance', 'int8', rows);
    const traced = async (more: Partial<QuerySpec>) => {
      const rankBy = { kind: 'vector', attribute: 'v', query: queries[0] as Float32Array, exact: false } as const;
      const spec: QuerySpec = { rankBy, limit: 10, projection: { kind: 'none' }, traced: true, ...more };
      return (await engine.query('docs', spec, eventual)).steps ?? [];
    };
    const steps = await traced({});
    expect(steps[0]).toMatchObject({ step: 'rank', facts: { by: 'vector', recall: 0.95, limit: 10 } });
    expect(steps.filter(({ step, target }) => step === 'probe' && target.startsWith('data/'))).toHaveLength(2);
    expect(steps).toContainEqual(
      expect.objectContaining({ step: 'scan_rows', facts: { rows: 60, reason: 'no lists' } }),
    );
    const few = await traced({ filter: below('random', 100) });
    expect(few.map(({ facts }) => facts.reason)).toContain('few matches');
    const none = await traced({ filter: below('random', -1) });
    expect(none.slice(1).map(({ step }) => step)).toEqual(['skip', 'skip', 'skip']);
  });
});
