import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openDiskCache } from '@lagoon/cache';
import type { AttributeSchema, Schema } from '@lagoon/format';
import type { ObjectStore } from '@lagoon/object-store';
import type { QuerySpec } from './query-spec.ts';
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
    const { engine } = createTestEngine({ store }, { diskCache });
    const close = async () => {
      await engine.close();
      await diskCache.close();
    };
    return { engine, counted, diskCache, close };
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
