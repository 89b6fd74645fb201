import { describe, expect, test } from '@jest/globals';
import { createSystemClock } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import { createMemoryStore, metered, type ObjectStore } from '@lagoon/object-store';
import type { ConsistencySpec, QuerySpec } from './query-spec.ts';
import { createReplicaContent } from './replica-content.ts';
import { createTestEngine, createTestNamespace } from './testing.ts';

const schema: Schema = {
  idKind: 'string',
  attributes: new Map([['n', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }]]),
};
const everything: QuerySpec = {
  rankBy: { kind: 'order', keys: [{ attribute: 'id', descending: false }] },
  limit: 100,
  projection: { kind: 'none' },
};
const strong: ConsistencySpec = { level: 'strong', stalenessMsMax: 0, generationMin: 0 };
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const document = (id: string) => ({ id, values: { n: 1n } });

test('queries at once whose segment is gone all start over, none at the cost of another', async () => {
  const inner = createMemoryStore({ clock: createSystemClock() });
  const namespace = createTestNamespace(schema, { store: inner });
  await namespace.write([document('a'), document('b')]);
  await namespace.index();
  const [old] = (await namespace.log.open('docs')).view.live?.manifest.segments ?? [];
  let isRaced = false;
  const store: ObjectStore = {
    ...inner,
    get: async (key, options, signal) => {
      if (!isRaced && key === old?.object.key) {
        isRaced = true;
        await namespace.write([document('c')], ['a', 'b']);
        await namespace.index();
        await inner.delete([key]);
      }
      const answer = await inner.get(key, options, signal);
      await turn();
      signal?.throwIfAborted();
      return answer;
    },
  };
  const { engine } = createTestEngine(namespace, { store });
  const queries: Promise<readonly unknown[]>[] = [];
  for (let i = 0; i < 40; i++) {
    queries.push(engine.query('docs', everything, strong).then(({ rows }) => rows.map(({ id }) => id)));
    if (i % 4 === 3) await turn();
  }
  for (const ids of await Promise.all(queries)) expect(ids).toEqual(['c']);
  expect(isRaced).toBe(true);
  await engine.close();
});

test('a segment whose delete vector cannot be read is not held', async () => {
  const namespace = createTestNamespace(schema);
  await namespace.write([document('a'), document('b')]);
  await namespace.index();
  const manifest = (await namespace.log.open('docs')).view.live?.manifest;
  const [segment] = manifest?.segments ?? [];
  if (manifest === undefined || segment === undefined) throw new Error('nothing was indexed');
  const { cache, engine } = createTestEngine(namespace);
  let id = 0;
  const nothing = () => {};
  const ids = { nextId: () => ++id, onBlockGone: nothing, onSnapshotGone: nothing };
  const store: ObjectStore = {
    ...namespace.store,
    get: async (key, options, signal) => {
      if (key.endsWith('.del')) for (let i = 0; i < 50; i++) await turn();
      return namespace.store.get(key, options, signal);
    },
  };
  const content = createReplicaContent({ store, cache, ...ids });
  const absent = { key: segment.object.key.replace('.seg', '.del'), size: 17, sha256: new Uint8Array(32) };
  const damaged = { ...segment, deleteVector: { kind: 'object', object: absent } } as const;
  await expect(content.applyManifest({ ...manifest, segments: [damaged] })).rejects.toMatchObject({ reason: 'gone' });
  await turn();
  expect(cache.statistics.pinnedBytes).toBe(0);
  await engine.close();
});

describe('a generation that never comes', () => {
  test('costs one look ahead, and nothing once nobody waits for it', async () => {
    const clock = createSystemClock();
    const inner = createMemoryStore({ clock });
    const namespace = createTestNamespace(schema, { store: inner });
    await namespace.write([document('a')]);
    const store = metered(inner, { clock });
    const { engine } = createTestEngine(namespace, { store, generationWaitMsMax: 90 });
    await engine.query('docs', everything, strong);
    store.reset();
    const wanted = { ...strong, generationMin: 1_000_000 };
    await expect(engine.query('docs', everything, wanted)).rejects.toMatchObject({ code: 'unavailable' });
    expect(store.snapshot().get).toBeLessThan(45);
    store.reset();
    await engine.query('docs', everything, strong);
    expect(store.snapshot().get).toBe(1);
    await engine.close();
  });
});
