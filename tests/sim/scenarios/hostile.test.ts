import { describe, expect, test } from '@jest/globals';
import { crc32, createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createGcJob, resolveGcConfig } from '@lagoon/compactor';
import { createNamespaceLog, logKey } from '@lagoon/namespace';
import { createActor } from '../actor.ts';
import { call, drive, type World } from '../world.ts';
import { createScenario, expectContent, idleCompactor, indexed, namespace, pass, path, write } from './scenario.ts';

const hourMs = 3_600_000;
const allRows = { rank_by: ['id', 'asc'], limit: 100, include_attributes: ['w'] };

/** A collector in a process of its own, for so many hours; the failures of its last pass. */
async function collect(world: World, hours: number): Promise<number> {
  const actor = createActor(world.scheduler, 'collector', 0);
  const random = createSeededRandom(5);
  const base = { store: world.store.handle(actor), clock: actor.clock, random, log: silentLog, metrics: noMetrics };
  const config = resolveGcConfig({ retentionMs: 0, graceMs: 600_000, sweepIntervalMs: 1 });
  const job = createGcJob({ ...base, namespaceLog: createNamespaceLog(base) }, config);
  let failureCount = 0;
  for (let passedMs = 0; passedMs < hours * hourMs; passedMs += 660_000) {
    failureCount = (await drive(world, () => job.run())).failures.length;
    await pass(world, 660_000);
  }
  return failureCount;
}

/** The newest entry as a later version would write it: intact, of a version that nobody here knows. */
function writeNewer(world: World, key: string): void {
  const bytes = (world.store.objects.get(key)?.bytes ?? new Uint8Array(0)).slice();
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint16(4, 2, true);
  view.setUint32(28, crc32(bytes.subarray(32, 32 + view.getUint32(8, true)), crc32(bytes.subarray(0, 28))), true);
  world.store.insert(key, bytes);
}

describe('what is in the bucket and should not be', () => {
  test('an entry of a newer format: reads and writes answer a typed error, garbage collection stops loudly and deletes nothing', async () => {
    const world = createScenario({ compactorCount: 1, compactor: idleCompactor, gc: { intervalMs: 1e12 } });
    for (const w of [1, 2, 3]) await write(world, w, [w, w + 1]);
    const key = logKey(namespace, 3);
    const before = world.store.objects.get(key)?.bytes ?? new Uint8Array(0);
    writeNewer(world, key);
    for (const member of [...world.cluster.queryNodes, ...world.cluster.ingesters]) member.restart(1);
    await pass(world, 1_000);
    const answers = [
      await drive(world, () => call(world, 'POST', `${path}/query`, allRows)),
      await drive(world, () => call(world, 'POST', path, { upsert_rows: [{ id: 9, w: 9 }] })),
    ];
    for (const { status, body } of answers) {
      expect(status).toBe(500);
      expect(String(body.error)).toMatch(/newer format: upgrade/);
    }
    const keys = [...world.store.objects.keys()];
    expect(await collect(world, 4)).toBeGreaterThan(0);
    expect([...world.store.objects.keys()]).toEqual(expect.arrayContaining(keys));
    world.store.insert(key, before); // the upgrade
    await expectContent(world, { 1: 1, 2: 2, 3: 3, 4: 3 });
  }, 60_000);

  test.each(['missing', 'flipped', 'truncated'])(
    'a segment that is %s: a typed error, never fewer rows',
    async (damage) => {
      const world = createScenario({ compactorCount: 1, gc: { intervalMs: 1e12 } });
      for (const w of [1, 2, 3]) await write(world, w, [w, w + 1]);
      await indexed(world);
      const segments = [...world.store.objects].filter(([key]) => key.endsWith('.seg'));
      for (const [key, { bytes }] of segments) {
        if (damage === 'missing') world.store.remove(key);
        if (damage === 'truncated') world.store.insert(key, bytes.subarray(0, bytes.length - 9));
        if (damage === 'flipped')
          world.store.insert(
            key,
            bytes.map((byte) => byte ^ 16),
          );
      }
      for (const member of world.cluster.queryNodes) member.restart(1);
      await pass(world, 1_000);
      const { status, body } = await drive(world, () => call(world, 'POST', `${path}/query`, allRows));
      expect({ status, rows: body.rows }).toEqual({ status: expect.any(Number), rows: undefined });
      expect([410, 500, 503]).toContain(status);
      for (const [key, { bytes }] of segments) world.store.insert(key, bytes);
      await expectContent(world, { 1: 1, 2: 2, 3: 3, 4: 3 });
    },
    60_000,
  );

  test('files that are not Lagoon’s hurt nobody, and stay', async () => {
    const world = createScenario({ compactorCount: 1, gc: { intervalMs: 1e12 } });
    await write(world, 1, [1]);
    const foreign = [
      `ns/${namespace}/notes.txt`,
      'data/x',
      'family/x',
      'catalog/x/y/z',
      'dirty/readme',
      'gc/other',
      'leases/x',
    ];
    for (const key of foreign) world.store.insert(key, Uint8Array.of(1, 2, 3));
    await indexed(world);
    await write(world, 2, [2]);
    expect(await collect(world, 4)).toBe(0);
    await expectContent(world, { 1: 1, 2: 2 });
    expect([...world.store.objects.keys()]).toEqual(expect.arrayContaining(foreign));
  }, 60_000);
});
