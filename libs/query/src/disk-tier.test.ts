import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openDiskCache } from '@lagoon/cache';
import type { AttributeSchema, Schema } from '@lagoon/format';
import type { ObjectStore } from '@lagoon/object-store';
import type { QuerySpec } from './query-spec.ts';
import { searchScratchBytes } from './search-context.ts';
import { createTestEngine, createTestNamespace, type TestNamespace } from './testing.ts';

const schema: Schema = {
  idKind: 'u64',
  attributes: new Map<string, AttributeSchema>([
    ['v', { type: { kind: 'vector', element: 'f32', dims: 64 }, filterable: false }],
    ['size', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
  ]),
};
const nearest: QuerySpec = {
  rankBy: { kind: 'vector', attribute: 'v', query: new Float32Array(64).fill(1), exact: true },
  filter: { kind: 'comparison', attribute: 'size', operator: 'gt', values: [10n] },
  limit: 5,
  projection: { kind: 'all' },
};
const strong = { level: 'strong' as const, stalenessMsMax: 0, generationMin: 0 };

/** Counts reads of segments; nothing else of the store is cached. */
function countingSegments(store: ObjectStore) {
  const counted = { count: 0 };
  const get: ObjectStore['get'] = (key, options, signal) => {
    if (key.startsWith('data/')) counted.count++;
    return store.get(key, options, signal);
  };
  return { counted, store: { ...store, get } };
}

describe('disk tier', () => {
  let folder: string;
  let namespace: TestNamespace;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lagoon-disk-tier-'));
    namespace = createTestNamespace(schema);
    const rows = Array.from({ length: 3_000 }, (_, id) => ({
      id: BigInt(id),
      values: { v: Array.from({ length: 64 }, (_, i) => ((id * 31 + i * 17) % 97) - 48), size: BigInt(id % 50) },
    }));
    await namespace.write(rows);
    await namespace.index();
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const start = async () => {
    const { counted, store } = countingSegments(namespace.store);
    const diskCache = await openDiskCache({}, { folder, bytesMax: 1 << 30 });
    const { engine, cache } = createTestEngine({ store }, { diskCache });
    const close = async () => {
      await engine.close();
      await diskCache.close();
    };
    return { engine, cache, counted, diskCache, close };
  };

  test('after a restart no segment is read from the store, and the answer is the same', async () => {
    const first = await start();
    const cold = await first.engine.query('docs', nearest, strong);
    expect(first.counted.count).toBeGreaterThan(0);
    await first.close();
    const second = await start();
    const warm = await second.engine.query('docs', nearest, strong);
    expect(warm.rows).toEqual(cold.rows);
    expect(second.counted.count).toBe(0);
    expect(warm.statistics.storeBytes).toBeLessThan(cold.statistics.storeBytes / 10);
    await second.close();
  });

  test('a query past the caches reads all it needs from the store each time, and leaves nothing behind', async () => {
    const { engine, cache, counted, diskCache, close } = await start();
    const [before, onDisk] = [cache.statistics.cachedBytes, diskCache.statistics.bytes];
    const [first] = await engine.queryPastCaches('docs', [nearest], strong);
    const readOnce = counted.count;
    expect(readOnce).toBeGreaterThan(0);
    expect([cache.statistics.cachedBytes, diskCache.statistics.bytes]).toEqual([before, onDisk]);
    expect((await engine.query('docs', nearest, strong)).rows).toEqual(first?.rows);
    const readTwice = counted.count;
    expect(readTwice).toBe(2 * readOnce);
    const kept = cache.statistics.cachedBytes;
    const [again] = await engine.queryPastCaches('docs', [nearest], strong);
    expect(again?.rows).toEqual(first?.rows);
    expect(again?.statistics.cacheHitCount).toBe(0);
    expect(counted.count).toBe(readTwice + readOnce);
    expect(cache.statistics.cachedBytes).toBe(kept);
    await engine.query('docs', nearest, strong);
    expect(counted.count).toBe(readTwice + readOnce);
    await close();
  });

  test('a query past the caches gets the room of namespaces that are not in use', async () => {
    const other = createTestNamespace(schema, { name: 'other', seed: 5, store: namespace.store });
    const values = (id: number) => ({ v: Array.from({ length: 64 }, (_, i) => (id * 7 + i) % 91), size: BigInt(id) });
    await other.write(Array.from({ length: 3_000 }, (_, id) => ({ id: BigInt(id), values: values(id) })));
    await other.index();
    const { engine } = createTestEngine(namespace, { budgetBytes: searchScratchBytes * 4 + (5 << 18) });
    await engine.query('docs', nearest, strong);
    const [result] = await engine.queryPastCaches('other', [nearest], strong);
    expect(result?.rows).toHaveLength(5);
    await engine.close();
  });

  test('files that were damaged meanwhile are noticed, and what was in them is read again, once', async () => {
    const first = await start();
    const cold = await first.engine.query('docs', nearest, strong);
    await first.close();
    for (const name of (await readdir(folder)).filter((one) => one.endsWith('.data'))) {
      const bytes = await readFile(join(folder, name));
      for (let at = 0; at < bytes.length; at += 1024) bytes[at] = (bytes[at] as number) ^ 1;
      await writeFile(join(folder, name), bytes);
    }
    const second = await start();
    expect((await second.engine.query('docs', nearest, strong)).rows).toEqual(cold.rows);
    expect(second.diskCache.statistics.damagedCount).toBeGreaterThan(0);
    expect(second.counted.count).toBeGreaterThan(0);
    await second.close();
    const third = await start();
    expect((await third.engine.query('docs', nearest, strong)).rows).toEqual(cold.rows);
    expect(third.counted.count).toBe(0);
    await third.close();
  });

  test('queries at one time read each part of a cold namespace once', async () => {
    const one = await start();
    const alone = await one.engine.query('docs', nearest, strong);
    const aloneCount = one.counted.count;
    await one.close();
    await rm(folder, { recursive: true });
    const many = await start();
    const answers = await Promise.all(Array.from({ length: 8 }, () => many.engine.query('docs', nearest, strong)));
    for (const { rows } of answers) expect(rows).toEqual(alone.rows);
    expect(many.counted.count).toBe(aloneCount);
    await many.close();
  });

  test('a warm hint brings the columns that a query reads, and the others too', async () => {
    const { rankBy, limit } = nearest;
    const query: QuerySpec = { rankBy, limit, projection: { kind: 'include', names: ['v'] } };
    const cold = await start();
    const { rows } = await cold.engine.query('docs', query, strong);
    await cold.close();
    await rm(folder, { recursive: true });
    const warm = await start();
    warm.engine.warm('docs');
    while (warm.counted.count <= cold.counted.count) await new Promise((resolve) => setImmediate(resolve));
    const warmCount = warm.counted.count;
    expect((await warm.engine.query('docs', query, strong)).rows).toEqual(rows);
    expect(warm.counted.count).toBe(warmCount);
    await warm.close();
  });

  test('after a purge the namespace is cold', async () => {
    const { engine, counted, close } = await start();
    const cold = await engine.query('docs', nearest, strong);
    const coldCount = counted.count;
    await engine.query('docs', nearest, strong);
    expect(counted.count).toBe(coldCount);
    await engine.purge('docs');
    const again = await engine.query('docs', nearest, strong);
    expect(again.rows).toEqual(cold.rows);
    expect(counted.count).toBe(2 * coldCount);
    await expect(engine.purge('absent')).rejects.toThrow('namespace does not exist');
    await close();
  });
});
