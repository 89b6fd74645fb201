import { describe, expect, test } from '@jest/globals';
import { headKey } from '@lagoon/namespace';
import { callUntilAnswered, type World } from '../world.ts';
import {
  createScenario,
  expectContent,
  idleCompactor,
  indexed,
  manifestCount,
  namespace,
  onFirst,
  pass,
  path,
  raiseFloor,
  restartQueryNodes,
  write,
} from './scenario.ts';

async function listed(world: World): Promise<string[]> {
  const answer = await callUntilAnswered(world, 'GET', '/v1/namespaces', undefined);
  return (answer.body.namespaces as { id: string }[]).map(({ id }) => id);
}

describe('the catalogue', () => {
  test('a marker that a slow deleter removes after the re-creation: the new one stays', async () => {
    const world = createScenario();
    await write(world, 1, [1]);
    onFirst(world, { verb: 'delete', key: /^catalog\// }, () => ({ delayMs: 20_000 }));
    world.scheduler.schedule(1, () => undefined);
    const ended = callUntilAnswered(world, 'DELETE', path, undefined);
    await ended;
    await write(world, 2, [2]);
    await pass(world, 60_000);
    expect(await listed(world)).toEqual([namespace]);
    await expectContent(world, { 2: 2 });
  });

  test('a marker that its deleter could not remove names what is gone, and the next birth is listed once', async () => {
    const world = createScenario();
    await write(world, 1, [1]);
    onFirst(world, { verb: 'delete', key: /^catalog\// }, () => ({ strike: 'resetBefore' }));
    await callUntilAnswered(world, 'DELETE', path, undefined);
    await expectContent(world, undefined);
    await write(world, 2, [2]);
    expect(await listed(world)).toEqual([namespace]);
  });
});

describe('the head hint', () => {
  /** A few manifests, with the hint as it was after the first. */
  async function withOldHint(world: World): Promise<Uint8Array> {
    await write(world, 1, [1, 2]);
    await indexed(world);
    await pass(world, 1_000);
    const old = world.store.objects.get(headKey(namespace))?.bytes.slice() ?? new Uint8Array(0);
    expect(old.byteLength).toBeGreaterThan(0);
    for (let w = 2; w < 6; w++) {
      await write(world, w, [w]);
      await indexed(world);
    }
    await pass(world, 1_000);
    return old;
  }
  const content = { 1: 1, 2: 2, 3: 3, 4: 4, 5: 5 };

  test.each(['stale', 'lost', 'garbage', 'stale below the floor', 'lost below a floor'] as const)(
    '%s: the head is found by probing',
    async (fate) => {
      const world = createScenario();
      const old = await withOldHint(world);
      if (fate.startsWith('stale')) world.store.insert(headKey(namespace), old);
      if (fate.startsWith('lost')) world.store.remove(headKey(namespace));
      if (fate === 'garbage') world.store.insert(headKey(namespace), new Uint8Array(100).fill(7));
      if (fate.endsWith('floor')) raiseFloor(world);
      for (const ingester of world.cluster.ingesters) ingester.restart(10);
      await restartQueryNodes(world);
      await expectContent(world, content);
      expect((await write(world, 6, [6])).status).toBe(200);
      await indexed(world);
      await expectContent(world, { ...content, 6: 6 });
    },
  );
});

describe('a tail that nobody was told of', () => {
  test('is found by its marker', async () => {
    const world = createScenario();
    world.network.onMessage = ({ method }) => (method === 'notify' ? { isLost: true } : undefined);
    await write(world, 1, [1]);
    await pass(world, 60_000);
    expect(manifestCount(world)).toBe(1);
    await expectContent(world, { 1: 1 });
  });

  test('whose marker is lost too is found with the next write', async () => {
    const world = createScenario();
    world.network.onMessage = ({ method }) => (method === 'notify' ? { isLost: true } : undefined);
    await write(world, 1, [1]);
    const removed = onFirst(world, { verb: 'put', key: /^dirty\// }, ({ key }) => {
      world.scheduler.schedule(1_000, () => world.store.remove(key));
      return { delayMs: 900 };
    });
    await pass(world, 30_000);
    expect(removed.isHit).toBe(true);
    for (const ingester of world.cluster.ingesters) ingester.restart(10);
    await pass(world, 1_000);
    await write(world, 2, [2]);
    await pass(world, 60_000);
    expect(manifestCount(world)).toBeGreaterThan(0);
    await expectContent(world, { 1: 1, 2: 2 });
  });

  test('costs nothing but a slower read while no compactor works', async () => {
    const world = createScenario({ compactor: idleCompactor });
    for (let w = 1; w <= 100; w++) await write(world, w, [w % 10]);
    await restartQueryNodes(world);
    await expectContent(world, Object.fromEntries(Array.from({ length: 10 }, (_, i) => [i, i === 0 ? 100 : 90 + i])));
    expect(manifestCount(world)).toBe(0);
  });
});
