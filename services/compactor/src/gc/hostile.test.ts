import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import {
  createLineage,
  createNamespaceLog,
  type InstantContent,
  type Lineage,
  listEverything,
} from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import { createMemoryStore } from '@lagoon/object-store';
import { compact, createTestClock, createTestWorld, type TestClock, testName } from '../testing.ts';
import { createCollector } from './collector.ts';
import { resolveGcConfig } from './gc-config.ts';

const minuteMs = 60_000;
const names = [testName, 'child'];

/** A namespace with segments, deletes, a tail and a snapshot of its past, and a branch of it. */
async function createPopulated(): Promise<{ store: ObjectStore; clock: TestClock; lineage: Lineage }> {
  const world = createTestWorld();
  const { store, clock } = world;
  const role = world.compactor({ config: { absorbBytesMax: 0 } });
  const lineage = createLineage({ store, clock, random: createSeededRandom(3), log: silentLog, metrics: noMetrics });
  for (let i = 0; i < 4; i++) {
    await world.write([[i, `title ${i}`]], i === 3 ? [0] : [], [`key ${i}`]);
    await compact(role);
    if (i === 1) await lineage.createSnapshot(testName, 'past', undefined);
    clock.advance(minuteMs);
  }
  await world.write([[7, 'in the tail']]);
  await lineage.branch({ name: 'child', view: undefined, idempotency: [] }, testName, undefined);
  await role.close();
  return { store, clock, lineage };
}

/** What readers that know nothing find of each name and of the snapshot, with every object that it names. */
async function readAll(store: ObjectStore, clock: TestClock): Promise<unknown> {
  const deps = { store, clock, random: createSeededRandom(4), log: silentLog, metrics: noMetrics };
  const log = createNamespaceLog(deps);
  const lineage = createLineage(deps);
  const found: unknown[] = [];
  for (const name of names) {
    const { view, events } = await log.open(name);
    const segments = view.live?.manifest.segments ?? [];
    for (const { object } of segments) expect(await store.get(object.key)).toBeDefined();
    found.push([view.live?.manifest.rows, segments.map(({ object }) => object.key)]);
    found.push(events.map((event) => (event.kind === 'batch' ? event.parts.map((part) => [...part]) : [])));
  }
  const [snapshot] = await lineage.listSnapshots(testName);
  if (snapshot === undefined) throw new Error('the snapshot is gone');
  const content: InstantContent = await lineage.readInstant(snapshot.instant);
  for (const { object } of content.manifest?.segments ?? []) expect(await store.get(object.key)).toBeDefined();
  found.push([content.manifest?.rows, content.parts.map((part) => [...part])]);
  return found;
}

function damaged(bytes: Uint8Array, kind: string, random: { integer(below: number): number }): Uint8Array {
  if (kind === 'truncated') return bytes.subarray(0, random.integer(bytes.length));
  const bit = random.integer(bytes.length * 8);
  return bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
}

async function copyOf(store: ObjectStore, clock: TestClock): Promise<ObjectStore> {
  const copy = createMemoryStore({ clock });
  for (const { key } of (await listEverything(store, '')).objects) {
    await copy.put(key, (await store.get(key))?.bytes ?? new Uint8Array(0));
  }
  return copy;
}

describe('garbage collection over damaged objects', () => {
  test.each(['flipped', 'truncated', 'missing'])(
    'deletes nothing that is needed while any one object is %s: once that is what it was, all is as before',
    async (kind) => {
      const random = createSeededRandom(kind.length);
      const { store, clock } = await createPopulated();
      const expected = await readAll(store, clock);
      const objects = (await listEverything(store, '')).objects.filter(({ size }) => size > 0);
      const loud = new Set<string>();
      for (const { key } of objects) {
        if (kind === 'missing' && key.includes('/pins/')) continue; // that is how a snapshot ends
        const own = createTestClock();
        own.advance(clock.monotonicMs());
        const copy = await copyOf(store, own);
        const bytes = (await copy.get(key))?.bytes ?? new Uint8Array(0);
        if (kind === 'missing') await copy.delete([key]);
        else await copy.put(key, damaged(bytes, kind, random));
        const deps = { store: copy, clock: own, random, log: silentLog, metrics: noMetrics };
        const collector = createCollector(
          { ...deps, namespaceLog: createNamespaceLog(deps) },
          resolveGcConfig({ retentionMs: 0, graceMs: 10 * minuteMs }),
        );
        for (let passCount = 0; passCount < 8; passCount++) {
          const { report } = await collector.pass({ names });
          if (report.failures.length > 0) loud.add(key.split('/').slice(0, 3).join('/'));
          own.advance(11 * minuteMs);
        }
        await copy.put(key, bytes);
        expect({ key, found: await readAll(copy, own) }).toEqual({ key, found: expected });
      }
      expect([...loud]).toEqual(expect.arrayContaining([`ns/${testName}/body`]));
    },
    60_000,
  );
});
