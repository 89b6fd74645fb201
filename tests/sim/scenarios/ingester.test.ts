import { describe, expect, test } from '@jest/globals';
import { logKey } from '@lagoon/namespace';
import { callUntilAnswered, type World } from '../world.ts';
import {
  answered,
  applicationsOf,
  createScenario,
  expectContent,
  logLength,
  namespace,
  onFirst,
  outcomeOf,
  pass,
  path,
  startWrite,
  until,
  write,
} from './scenario.ts';

describe('an ingester dies', () => {
  const deaths: Record<string, (world: World) => void> = {
    'before the PUT': (world) => {
      onFirst(world, { verb: 'create', key: /\/log\// }, () => void world.cluster.ingesters[0]?.restart(500));
    },
    'during the PUT, which arrives before the retry': (world) => {
      onFirst(world, { verb: 'create', key: /\/log\// }, () => {
        world.scheduler.schedule(0, () => world.cluster.ingesters[0]?.restart(500));
        return undefined;
      });
    },
    'during the PUT, which arrives after the retry': (world) => {
      onFirst(world, { verb: 'create', key: /\/log\// }, () => {
        world.scheduler.schedule(0, () => world.cluster.ingesters[0]?.restart(500));
        return { delayMs: 60_000 };
      });
    },
    'after the PUT, before its answer': (world) => {
      onFirst(world, { verb: 'create', key: /\/log\// }, ({ key }) => {
        const look = (): void => {
          if (world.store.objects.has(key)) world.cluster.ingesters[0]?.restart(500);
          else world.scheduler.schedule(0.5, look);
        };
        look();
        return undefined;
      });
    },
  };

  test.each(Object.keys(deaths))('%s: the retry with the same key yields one application', async (when) => {
    const world = createScenario({ ingesterCount: 1 });
    await write(world, 1, [1, 2], 'first');
    deaths[when]?.(world);
    const cut = startWrite(world, 2, [2, 3], 'second');
    expect((await answered(world, cut)).status).toBe(503);
    expect((await write(world, 2, [2, 3], 'second')).status).toBe(200);
    await pass(world, 120_000);
    expect(applicationsOf(world, 2)).toBe(1);
    await expectContent(world, { 1: 1, 2: 2, 3: 2 });
  });

  test('after it has acknowledged: the write is there', async () => {
    const world = createScenario({ ingesterCount: 1 });
    const answer = await answered(world, startWrite(world, 1, [1]));
    world.cluster.ingesters[0]?.restart(500);
    expect(answer.status).toBe(200);
    await expectContent(world, { 1: 1 });
  });
});

describe('two ingesters own one namespace', () => {
  test('a retry reaches the other while the first PUT is delayed: applied once, one order for all', async () => {
    const world = createScenario({ ingesterCount: 2 });
    await write(world, 1, [1], 'first');
    world.cluster.writesTo = 0;
    const delayed = onFirst(world, { actor: /ingester-0/, verb: 'create', key: /\/log\// }, () => ({
      delayMs: 15_000,
    }));
    const slow = startWrite(world, 2, [1, 2], 'second');
    await until(world, () => delayed.isHit);
    world.cluster.writesTo = 1;
    const fast = await answered(world, startWrite(world, 2, [1, 2], 'second'));
    expect((await answered(world, startWrite(world, 3, [2]))).status).toBe(200);
    expect(fast.status).toBe(200);
    expect(outcomeOf(await answered(world, slow))).toEqual(outcomeOf(fast));
    world.cluster.writesTo = 0;
    expect((await answered(world, startWrite(world, 4, [3]))).status).toBe(200);
    expect(applicationsOf(world, 2)).toBe(1);
    await expectContent(world, { 1: 2, 2: 3, 3: 4 });
  });

  test('both write all the time: every acknowledged write is in one order', async () => {
    const world = createScenario({ ingesterCount: 2 });
    await write(world, 1, [0]);
    const pending = Array.from({ length: 60 }, (_, i) => {
      world.cluster.writesTo = i % 2;
      return startWrite(world, 100 + i, [i]);
    });
    await until(world, () => pending.every(({ answer }) => answer !== undefined));
    expect(new Set(pending.map(({ answer }) => answer?.status))).toEqual(new Set([200]));
    await expectContent(world, Object.fromEntries(pending.map((_, i) => [i, 100 + i])));
  });
});

describe('an idempotency key', () => {
  test('on a namespace and on its next incarnation is two applications', async () => {
    const world = createScenario();
    const first = await write(world, 1, [1], 'key');
    expect(outcomeOf(await write(world, 1, [1], 'key'))).toEqual(outcomeOf(first));
    await callUntilAnswered(world, 'DELETE', path, undefined);
    await expectContent(world, undefined);
    const second = await write(world, 1, [1], 'key');
    expect(second.body.manifest_generation).not.toEqual(first.body.manifest_generation);
    expect(outcomeOf(await write(world, 1, [1], 'key'))).toEqual(outcomeOf(second));
    expect(applicationsOf(world, 1)).toBe(2);
    await expectContent(world, { 1: 1 });
  });

  test('holds a day of wall clock skew later, at an ingester that never saw it', async () => {
    const world = createScenario({ ingesterCount: 2 });
    world.cluster.writesTo = 0;
    const first = await write(world, 1, [1], 'key');
    for (let w = 2; w < 12; w++) {
      world.cluster.writesTo = w % 2;
      await write(world, w, [2], `key-${w}`);
      await pass(world, 300_000);
    }
    for (const ingester of world.cluster.ingesters) ingester.restart(10);
    await pass(world, 1_000);
    world.cluster.writesTo = 1;
    expect(outcomeOf(await write(world, 1, [1], 'key'))).toEqual(outcomeOf(first));
  });
});

describe('an unclear answer', () => {
  test.each(['resetBefore', 'resetAfter', 'conflict', 'unavailable'] as const)(
    '%s: success is found by reading back, or the number is tried again; applied once, without a key',
    async (strike) => {
      const world = createScenario({ ingesterCount: 1 });
      await write(world, 1, [1]);
      onFirst(world, { verb: 'create', key: /\/log\// }, () => ({ strike }));
      expect((await answered(world, startWrite(world, 2, [2]))).status).toBe(200);
      expect(applicationsOf(world, 2)).toBe(1);
      await expectContent(world, { 1: 1, 2: 2 });
    },
  );

  test('late success: what the writer wrote again meanwhile is not applied twice', async () => {
    const world = createScenario({ ingesterCount: 1 });
    await write(world, 1, [1]);
    onFirst(world, { verb: 'create', key: /\/log\// }, () => ({ delayMs: 30_000, isAnswerLost: true }));
    expect((await answered(world, startWrite(world, 2, [2]))).status).toBe(200);
    await write(world, 3, [3]);
    await pass(world, 60_000);
    expect(applicationsOf(world, 2)).toBe(1);
    await expectContent(world, { 1: 1, 2: 2, 3: 3 });
  });

  test('whose writer dies: the late PUT takes its number or loses it, and the retry knows which', async () => {
    for (const delayMs of [100, 400, 600, 1_000, 30_000]) {
      const world = createScenario({ ingesterCount: 2 });
      await write(world, 1, [1], 'first');
      world.cluster.writesTo = 0;
      const hit = onFirst(world, { verb: 'create', key: /\/log\// }, () => ({ delayMs }));
      startWrite(world, 2, [2], 'second');
      await until(world, () => hit.isHit);
      world.cluster.ingesters[0]?.restart(60_000);
      world.cluster.writesTo = 1;
      await pass(world, 500);
      expect((await write(world, 2, [2], 'second')).status).toBe(200);
      await write(world, 3, [3], 'third');
      await pass(world, 60_000);
      expect(applicationsOf(world, 2)).toBe(1);
      await expectContent(world, { 1: 1, 2: 2, 3: 3 });
    }
  });
});

test('a number that another writer took is read and the write resolved again', async () => {
  const world = createScenario({ ingesterCount: 2 });
  await write(world, 1, [1]);
  const before = logLength(world);
  world.cluster.writesTo = 0;
  expect((await answered(world, startWrite(world, 2, [2]))).status).toBe(200);
  world.cluster.writesTo = 1;
  expect((await answered(world, startWrite(world, 3, [3]))).status).toBe(200);
  expect(world.store.objects.has(logKey(namespace, before + 2))).toBe(true);
  await expectContent(world, { 1: 1, 2: 2, 3: 3 });
});
