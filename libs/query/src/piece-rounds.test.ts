import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createSeededRandom } from '@lagoon/base';
import { openDiskCache } from '@lagoon/cache';
import type { AttributeSchema, Schema } from '@lagoon/format';
import type { ObjectStore } from '@lagoon/object-store';
import { createFarStore, type Rounds } from '@lagoon/object-store/testing/far-store';
import { buildIvf, createInlineExecutor, type ListCodec, loadKernelModule } from '@lagoon/vector';
import type { QueryResult } from './query-result.ts';
import type { QuerySpec } from './query-spec.ts';
import { createTestEngine, createTestNamespace, type TestNamespace } from './testing.ts';

/** What an ANN query costs a node that has nothing in memory, on a store where every request takes as long as any other. */
const eventual = { level: 'eventual', stalenessMsMax: 60_000, generationMin: 0 } as const;
const dims = 64;
const rowCount = 24_000;
const rawBytes = rowCount * dims * 4;
const module = loadKernelModule();
const cluster = {
  rowCountMin: 500,
  build: (...[rows, options]: Parameters<typeof buildIvf> extends [infer R, infer O, ...unknown[]] ? [R, O] : never) =>
    buildIvf(rows, { ...options, leafRows: 100, learningQueryCount: 64 }, module, createInlineExecutor(module)),
};
const random = createSeededRandom(9);
const normal = (): number => random.float() + random.float() + random.float() - 1.5;
const centers = Array.from({ length: 240 }, () => Array.from({ length: dims }, () => 2.5 * normal()));
const vectors = Array.from({ length: rowCount }, () => {
  const center = centers[random.integer(centers.length)] as number[];
  return center.map((x) => x + normal());
});

function schemaOf(codec: ListCodec): Schema {
  const type = { kind: 'vector', element: 'f32', dims } as const;
  return {
    idKind: 'u64',
    attributes: new Map<string, AttributeSchema>([
      ['v', { type, filterable: false, ann: { distanceMetric: 'cosine_distance', codec } }],
      ['color', { type: { kind: 'scalar', scalar: 'string' }, filterable: true }],
    ]),
  };
}

/** One segment and a tail of two entries, the hint current. */
async function open(codec: ListCodec): Promise<TestNamespace> {
  const namespace = createTestNamespace(schemaOf(codec), { cluster });
  const document = (v: number[], n: number) => ({ id: BigInt(n), values: { v, color: n % 2 === 0 ? 'red' : 'blue' } });
  await namespace.write(vectors.map(document));
  await namespace.index();
  await namespace.log.writeHint((await namespace.log.open('docs')).view);
  for (const n of [0, 1]) await namespace.write([document(vectors[n] as number[], rowCount + n)]);
  return namespace;
}

const nearest: QuerySpec = {
  rankBy: {
    kind: 'vector',
    attribute: 'v',
    query: Float32Array.from(vectors[77] as number[], (x) => x * 1.01),
    exact: false,
  },
  limit: 10,
  projection: { kind: 'none' },
  traced: true,
};

interface Cold extends Rounds {
  readonly result: QueryResult;
  /** Of the round with most. */
  readonly requestCountMax: number;
}

async function cold(namespace: TestNamespace, spec: QuerySpec): Promise<Cold> {
  const far = createFarStore(namespace.store);
  const startMs = far.clock.monotonicMs();
  const byRound = new Map<number, number>();
  const store: ObjectStore = {
    ...far.store,
    get: (key, options, signal) => {
      const round = Math.round((far.clock.monotonicMs() - startMs) / far.latencyMs);
      byRound.set(round, (byRound.get(round) ?? 0) + 1);
      return far.store.get(key, options, signal);
    },
  };
  const { engine, cache } = createTestEngine(namespace, {
    ...{ store, clock: far.clock, budgetBytes: 64 << 20 },
  });
  const measured = await far.measure(() => engine.query('docs', spec, eventual));
  await engine.close();
  expect(cache.statistics.pinnedBytes).toBe(0);
  return { ...measured, requestCountMax: Math.max(...byRound.values()) };
}

describe('a cold ANN query', () => {
  test.each(['flat', 'int8', 'pq4'] as const)(
    'answers ids in four rounds, with a twentieth of the bytes of the vectors, %s',
    async (codec) => {
      const namespace = await open(codec);
      const found = await cold(namespace, nearest);
      expect(found.result.rows).toHaveLength(10);
      expect(found.result.steps?.map(({ step }) => step)).toContain('pieces');
      expect(found.rounds).toBe(4);
      expect(found.requestCountMax).toBeLessThanOrEqual(48);
      expect(found.bytesRead).toBeLessThan(0.05 * rawBytes);
      const withDocuments = await cold(namespace, { ...nearest, projection: { kind: 'include', names: ['color'] } });
      expect(withDocuments.rounds).toBe(5);
      const filter = { kind: 'comparison', attribute: 'color', operator: 'eq', values: ['red'] } as const;
      const filtered = await cold(namespace, { ...nearest, filter });
      expect(filtered.rounds).toBe(6); // dictionary, then postings
      expect(filtered.result.steps?.map(({ step }) => step)).toContain('pieces');
    },
  );

  test('after a restart what the disk has is not asked of the store', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lagoon-pieces-'));
    const namespace = await open('int8');
    const start = async () => {
      const diskCache = await openDiskCache({}, { folder, bytesMax: 1 << 30 });
      let requestCount = 0;
      const get: ObjectStore['get'] = (key, options, signal) => {
        if (key.startsWith('data/')) requestCount++;
        return namespace.store.get(key, options, signal);
      };
      const { engine } = createTestEngine(namespace, { store: { ...namespace.store, get }, diskCache });
      const { rows, steps = [] } = await engine.query('docs', nearest, eventual);
      await engine.close();
      await diskCache.close();
      expect(steps.map(({ step }) => step)).toContain('pieces');
      return { rows, requestCount };
    };
    const before = await start();
    const after = await start();
    await rm(folder, { recursive: true, force: true });
    expect(after.rows).toEqual(before.rows);
    expect(before.requestCount).toBeGreaterThan(3);
    expect(after.requestCount).toBe(0);
  });
});
