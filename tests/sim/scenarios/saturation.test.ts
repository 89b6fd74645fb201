import { describe, expect, test } from '@jest/globals';
import { decodeEntry, logKey } from '@lagoon/namespace';
import { noFaults } from '../faults.ts';
import { readLogModel } from '../log-model.ts';
import { call, type World } from '../world.ts';
import { createScenario, expectContent, indexed, logLength, namespace, pass, path, until } from './scenario.ts';

const writerCount = 12;
/** Ten with `make saturate`. */
const minutes = Number(process.env.SATURATE_MINUTES ?? 1.5);
const durationMs = minutes * 60_000;
const idCount = 200;

/** Writers that never pause, each with ids of its own; resolves with the last acknowledged `w` of each id when all have stopped. */
async function saturate(world: World): Promise<Map<number, number>> {
  const content = new Map<number, number>();
  const endMs = world.scheduler.nowMs + durationMs;
  let w = 0;
  let running = writerCount;
  const loop = async (writer: number): Promise<void> => {
    while (world.scheduler.nowMs < endMs) {
      const mine = ++w;
      const id = writer + writerCount * (mine % Math.floor(idCount / writerCount));
      const body = { upsert_rows: [{ id, w: mine, padding: 'p'.repeat(200) }] };
      const headers = { 'idempotency-key': `key-${mine}` };
      for (;;) {
        const { status } = await call(world, 'POST', path, body, headers);
        if (status === 200) break;
        if (status < 500 && status !== 429) throw new Error(`write ${mine} was refused with ${status}`);
        await new Promise<void>((resolve) => world.scheduler.schedule(200, resolve));
      }
      content.set(id, mine);
    }
    running--;
  };
  let failure: unknown;
  for (let writer = 0; writer < writerCount; writer++) {
    loop(writer).catch((error: unknown) => {
      failure = error;
      running = 0;
    });
  }
  await until(world, () => running === 0, durationMs + 600_000);
  if (failure !== undefined) throw failure;
  return content;
}

/** Entries that are not in segments, at most, since the first manifest was due. */
function largestLag(world: World): number {
  let lag = 0;
  let largest = 0;
  for (const { kind } of readLogModel(world.store.objects, namespace).generations) {
    lag = kind === 'manifest' ? 0 : lag + 1;
    largest = Math.max(largest, lag);
  }
  return largest;
}

/** Every request of the store takes so long that a PUT of a group is answered 100 ms after it was sent. */
function slowPuts(world: World): void {
  world.store.onCall = ({ verb, key }) =>
    verb === 'create' && /\/(log|body)\//.test(key) ? { delayMs: 80 } : undefined;
}

describe('saturated writes for minutes on a slow store', () => {
  test('several ingesters: the compactor commits, the lag of the index is bounded, nothing is lost', async () => {
    const world = createScenario({ ingesterCount: 3, compactorCount: 1 });
    world.store.policy = { ...noFaults, slow: 0.05 };
    const content = await saturate(world);
    const { generations } = readLogModel(world.store.objects, namespace);
    expect(generations.filter(({ kind }) => kind === 'manifest').length).toBeGreaterThan(minutes);
    expect(generations.length).toBeGreaterThan(30 * minutes);
    expect(largestLag(world)).toBeLessThan(128);
    world.store.policy = noFaults;
    await indexed(world);
    await expectContent(world, Object.fromEntries(content));
  }, 60_000);

  test('one ingester: no manifest waits for more than three groups', async () => {
    const world = createScenario({ ingesterCount: 1, compactorCount: 2 });
    world.store.policy = { ...noFaults, slow: 0.02 };
    const handedAt: number[] = [];
    world.network.onMessage = ({ method }) => {
      if (method === 'appendManifest') handedAt.push(logLength(world));
      return undefined;
    };
    const content = await saturate(world);
    const { generations } = readLogModel(world.store.objects, namespace);
    const manifests = generations.filter(({ kind }) => kind === 'manifest').map(({ generation }) => generation);
    expect(manifests.length).toBeGreaterThan(minutes);
    for (const generation of manifests) {
      const handed = handedAt.filter((at) => at < generation).at(-1) ?? 0;
      expect(generation - handed).toBeLessThanOrEqual(2 + 3); // the message travels while one group is under way
    }
    world.store.policy = noFaults;
    await pass(world, 1_000);
    await expectContent(world, Object.fromEntries(content));
  }, 60_000);

  test('two ingesters, each PUT takes 100 ms: lag bounded in bytes and entries, a manifest waits for three groups at most, filter patches finish', async () => {
    const world = createScenario({ ingesterCount: 2, compactorCount: 2 });
    slowPuts(world);
    const handedAt: number[] = [];
    world.network.onMessage = ({ method }) => {
      if (method === 'appendManifest') handedAt.push(logLength(world));
      return undefined;
    };
    const patches = patchAllTheTime(world);
    const content = await saturate(world);
    const { generations } = readLogModel(world.store.objects, namespace);
    const manifests = generations.filter(({ kind }) => kind === 'manifest').map(({ generation }) => generation);
    const waits = manifests.map((generation) => waitOf(world, generation, handedAt));
    const ownMax = Math.max(...waits.map(({ own }) => own));
    const allMax = Math.max(...waits.map(({ all }) => all));
    const lag = largestLag(world);
    const lagBytes = largestLagBytes(world);
    process.stdout.write(
      `saturated for ${minutes} min: ${generations.length} entries, ${manifests.length} manifests, lag at most ${lag} entries and ` +
        `${lagBytes} bytes, a manifest waits for ${allMax} groups at most (${ownMax} of who appends it), ${patches.durationsMs.length} filter patches, ` +
        `the slowest ${(Math.max(...patches.durationsMs) / 1000).toFixed(1)} s\n`,
    );
    expect(manifests.length).toBeGreaterThan(5 * minutes);
    expect(lag).toBeLessThan(64);
    expect(lagBytes).toBeLessThan(1 << 20);
    expect(allMax).toBeLessThanOrEqual(3);
    expect(patches.durationsMs.length).toBeGreaterThan(3 * minutes);
    expect(Math.max(...patches.durationsMs)).toBeLessThan(30_000);
    world.store.onCall = undefined;
    await indexed(world);
    await expectContent(world, Object.fromEntries(content));
  }, 600_000);
});

/** Patches by a filter that meets every row, one after the other, of an attribute that nothing else changes. */
function patchAllTheTime(world: World): { readonly durationsMs: number[] } {
  const durationsMs: number[] = [];
  const endMs = world.scheduler.nowMs + durationMs;
  const loop = async (): Promise<void> => {
    for (let number = 0; world.scheduler.nowMs < endMs; number++) {
      await new Promise<void>((resolve) => world.scheduler.schedule(5_000, resolve));
      const startMs = world.scheduler.nowMs;
      const body = {
        patch_by_filter: { filters: ['id', 'Gte', 0], patch: { stamp: number } },
        schema: { stamp: 'int' },
      };
      const headers = { 'idempotency-key': `patch-${number}` };
      while ((await call(world, 'POST', path, body, headers)).status !== 200) {
        await new Promise<void>((resolve) => world.scheduler.schedule(200, resolve));
      }
      durationsMs.push(world.scheduler.nowMs - startMs);
    }
  };
  void loop();
  return { durationsMs };
}

/** Groups between the hand-over of a manifest and its generation: of the ingester that appended it, and of all. */
function waitOf(
  world: World,
  generation: number,
  handedAt: readonly number[],
): { readonly own: number; readonly all: number } {
  const handed = handedAt.filter((at) => at < generation).at(-1) ?? 0;
  const writerOf = (at: number): string => {
    const key = logKey(namespace, at);
    return decodeEntry(key, world.store.objects.get(key)?.bytes ?? new Uint8Array(0)).header.writerId;
  };
  const between = Array.from({ length: generation - handed - 1 }, (_, i) => writerOf(handed + 1 + i));
  return { own: between.filter((writer) => writer === writerOf(generation)).length, all: between.length };
}

/** Bytes of entries that are not in segments. */
function largestLagBytes(world: World): number {
  let lag = 0;
  let largest = 0;
  for (const { generation, kind } of readLogModel(world.store.objects, namespace).generations) {
    const size = world.store.objects.get(logKey(namespace, generation))?.bytes.byteLength ?? 0;
    lag = kind === 'manifest' ? 0 : lag + size;
    largest = Math.max(largest, lag);
  }
  return largest;
}
