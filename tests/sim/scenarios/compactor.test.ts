import { describe, expect, test } from '@jest/globals';
import { defaultClusterOptions } from '../cluster.ts';
import { callUntilAnswered, type World } from '../world.ts';
import {
  createScenario,
  expectContent,
  indexed,
  manifestCount,
  onFirst,
  pass,
  path,
  restartQueryNodes,
  until,
  write,
} from './scenario.ts';

const hourMs = 3_600_000;
/** Few sweeps: days pass. */
const patient = { ...defaultClusterOptions.compactor, sweepIntervalMs: 600_000 };

/** Every node starts anew, so every object that the manifest names is read. */
async function expectWhole(world: World, content: Record<number, number> | undefined): Promise<void> {
  await restartQueryNodes(world);
  await expectContent(world, content);
}

describe('two compactors', () => {
  test('at once: one job wins, the content is unchanged', async () => {
    const world = createScenario({ compactorCount: 2 });
    await write(world, 1, [1, 2]);
    await write(world, 2, [2, 3]);
    let heldUp = 0;
    world.store.onCall = ({ actor, verb, key }) =>
      actor.name.startsWith('compactor') && verb === 'create' && key.endsWith('.seg') && heldUp++ < 2
        ? { delayMs: 20_000 }
        : undefined;
    await until(world, () => heldUp === 2);
    await indexed(world);
    await pass(world, 60_000);
    await expectWhole(world, { 1: 1, 2: 2, 3: 2 });
    expect(manifestCount(world)).toBe(1);
  });

  test('one wakes a day later, before its entry is written: the other has done the work, and nothing changes', async () => {
    const world = createScenario({ compactorCount: 2, compactor: patient });
    await write(world, 1, [1, 2]);
    const hit = onFirst(world, { actor: /compactor/, verb: 'create', key: /\/body\// }, ({ actor }) => {
      actor.pause(25 * hourMs);
      return undefined;
    });
    await until(world, () => hit.isHit);
    await write(world, 2, [2, 3]);
    await pass(world, 2 * hourMs);
    await indexed(world);
    const before = manifestCount(world);
    await pass(world, 26 * hourMs);
    expect(manifestCount(world)).toBe(before);
    await expectWhole(world, { 1: 1, 2: 2, 3: 2 });
  });

  test('one wakes a day later and nobody did its work: the old job is given up, a new one does it', async () => {
    for (const stop of ['pause', 'suspend'] as const) {
      const world = createScenario({ compactorCount: 1, compactor: patient });
      await write(world, 1, [1, 2]);
      const hit = onFirst(world, { actor: /compactor/, verb: 'create', key: /\/body\// }, ({ actor }) => {
        actor[stop](25 * hourMs);
        return undefined;
      });
      await until(world, () => hit.isHit);
      await pass(world, 26 * hourMs);
      await write(world, 2, [2, 3]);
      await indexed(world);
      await expectWhole(world, { 1: 1, 2: 2, 3: 2 });
    }
  });
});

describe('claims of large work', () => {
  const claiming = { ...defaultClusterOptions.compactor, leaseBytesMin: 0, leasedDelayMs: 1_000 };

  test('two compactors with the same claim: one job wins, the content is unchanged', async () => {
    const world = createScenario({ compactorCount: 2, compactor: claiming });
    await write(world, 1, [1, 2]);
    // Each lists before the other's claim is there; and the store loses the first claim, so that the second is created as well.
    let claimCount = 0;
    world.store.onCall = ({ verb, key }) => {
      if (verb === 'create' && key.startsWith('leases/')) {
        claimCount++;
        world.scheduler.schedule(60, () => world.store.remove(key));
      }
      return verb === 'create' && key.endsWith('.seg') ? { delayMs: 8_000 } : undefined;
    };
    await until(world, () => claimCount >= 2);
    await write(world, 2, [2, 3]);
    await pass(world, 60_000);
    world.store.onCall = undefined;
    await indexed(world);
    await expectWhole(world, { 1: 1, 2: 2, 3: 2 });
  });

  test('of a compactor that died: void after minutes, and the work is done', async () => {
    const world = createScenario({ compactorCount: 2, compactor: claiming });
    const hit = onFirst(world, { actor: /compactor/, verb: 'create', key: /\.seg$/ }, ({ actor }) => {
      world.cluster.compactors.find((one) => one.actor === actor)?.restart(24 * hourMs);
      return undefined;
    });
    await write(world, 1, [1, 2]);
    await until(world, () => hit.isHit);
    expect([...world.store.objects.keys()].some((key) => key.startsWith('leases/'))).toBe(true);
    await pass(world, 10 * 60_000);
    expect(manifestCount(world)).toBe(1);
    await expectWhole(world, { 1: 1, 2: 1 });
  });

  test('of a compactor that stood still beyond it: another does the work, nothing changes when it wakes', async () => {
    const world = createScenario({ compactorCount: 2, compactor: claiming });
    const hit = onFirst(world, { actor: /compactor/, verb: 'create', key: /\.seg$/ }, ({ actor }) => {
      actor.pause(2 * hourMs);
      return undefined;
    });
    await write(world, 1, [1, 2]);
    await until(world, () => hit.isHit);
    await pass(world, 10 * 60_000);
    expect(manifestCount(world)).toBe(1);
    await pass(world, 3 * hourMs);
    expect(manifestCount(world)).toBe(1);
    await expectWhole(world, { 1: 1, 2: 1 });
  });
});

describe('an index job in flight while the namespace is deleted and created again', () => {
  const moments = {
    'before its segment is there': { verb: 'create', key: /\.seg$/ },
    'before its manifest has a body': { verb: 'create', key: /\/body\// },
  } as const;
  test.each(Object.keys(moments) as (keyof typeof moments)[])('%s: dropped, old rows never return', async (moment) => {
    const world = createScenario({ compactorCount: 1 });
    await write(world, 1, [1, 2]);
    const hit = onFirst(world, { actor: /compactor/, ...moments[moment] }, () => ({ delayMs: 5_000 }));
    await until(world, () => hit.isHit);
    await callUntilAnswered(world, 'DELETE', path, undefined);
    await write(world, 2, [3]);
    await pass(world, 30_000);
    await indexed(world);
    await expectWhole(world, { 3: 2 });
  });

  test('after its entry was handed over: refused by the ingester', async () => {
    const world = createScenario({ compactorCount: 1 });
    await write(world, 1, [1, 2]);
    let handedCount = 0;
    world.network.onMessage = ({ method }) => {
      if (method !== 'appendManifest' || handedCount++ > 0) return undefined;
      return { delayMs: 5_000 };
    };
    await until(world, () => handedCount > 0);
    await callUntilAnswered(world, 'DELETE', path, undefined);
    await write(world, 2, [3]);
    await pass(world, 30_000);
    await indexed(world);
    await expectWhole(world, { 3: 2 });
  });
});

describe('the handed entry', () => {
  test('appended by the ingester and by the compactor, for the RPC timed out: one manifest', async () => {
    const world = createScenario({ ingesterCount: 1, compactorCount: 1 });
    await write(world, 1, [1, 2]);
    // The ingester has it and its PUT hangs; the compactor hears nothing within its ten seconds and appends it too.
    const hung = onFirst(world, { actor: /ingester/, verb: 'create', key: /\/log\// }, () => ({ delayMs: 15_000 }));
    await until(world, () => hung.isHit);
    await pass(world, 60_000);
    await indexed(world);
    expect(manifestCount(world)).toBe(1);
    await write(world, 2, [2]);
    await indexed(world);
    await expectWhole(world, { 1: 1, 2: 2 });
  });

  test('whose answer is lost: one manifest, nothing of it deleted', async () => {
    const world = createScenario({ ingesterCount: 1, compactorCount: 1 });
    await write(world, 1, [1, 2]);
    let lostCount = 0;
    world.network.onMessage = ({ method }) =>
      method === 'appendManifest' && lostCount++ === 0 ? { isReplyLost: true } : undefined;
    await indexed(world);
    await pass(world, 60_000);
    expect(lostCount).toBe(1);
    expect(manifestCount(world)).toBe(1);
    await expectWhole(world, { 1: 1, 2: 1 });
  });

  test('that waits for days is refused or superseded, and harms nothing', async () => {
    for (const delayMs of [hourMs, 50 * hourMs]) {
      const world = createScenario({ ingesterCount: 1, compactorCount: 1, compactor: patient });
      await write(world, 1, [1, 2]);
      let handedCount = 0;
      world.network.onMessage = ({ method }) => {
        if (method !== 'appendManifest' || handedCount++ > 0) return undefined;
        world.scheduler.schedule(1, () => world.cluster.compactors[0]?.restart(2 * delayMs));
        return { delayMs };
      };
      await until(world, () => handedCount > 0);
      await write(world, 2, [2]);
      await pass(world, delayMs + 60_000);
      expect(manifestCount(world)).toBe(delayMs === hourMs ? 1 : 0);
      await expectWhole(world, { 1: 1, 2: 2 });
      await pass(world, 2 * delayMs);
      await indexed(world);
      await expectWhole(world, { 1: 1, 2: 2 });
    }
  });
});
