import { describe, expect, test } from '@jest/globals';
import { noFaults } from '../faults.ts';
import { readLogModel } from '../log-model.ts';
import { call, type World } from '../world.ts';
import { createScenario, expectContent, indexed, logLength, namespace, pass, path, until } from './scenario.ts';

const writerCount = 12;
const durationMs = 300_000;
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
  await until(world, () => running === 0);
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

describe('saturated writes for minutes on a slow store', () => {
  test('several ingesters: the compactor commits, the lag of the index is bounded, nothing is lost', async () => {
    const world = createScenario({ ingesterCount: 3, compactorCount: 1 });
    world.store.policy = { ...noFaults, slow: 0.05 };
    const content = await saturate(world);
    const { generations } = readLogModel(world.store.objects, namespace);
    expect(generations.filter(({ kind }) => kind === 'manifest').length).toBeGreaterThan(5);
    expect(generations.length).toBeGreaterThan(150);
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
    expect(manifests.length).toBeGreaterThan(5);
    for (const generation of manifests) {
      const handed = handedAt.filter((at) => at < generation).at(-1) ?? 0;
      expect(generation - handed).toBeLessThanOrEqual(2 + 3); // the message travels while one group is under way
    }
    world.store.policy = noFaults;
    await pass(world, 1_000);
    await expectContent(world, Object.fromEntries(content));
  }, 60_000);
});
