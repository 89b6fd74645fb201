import { describe, expect, test } from '@jest/globals';
import { logKey } from '@lagoon/namespace';
import { readLogModel } from '../log-model.ts';
import { callUntilAnswered, type World } from '../world.ts';
import {
  answered,
  type Content,
  contentOf,
  createScenario,
  expectContent,
  indexed,
  namespace,
  onFirst,
  pass,
  path,
  raiseFloor,
  startWrite,
  until,
  write,
} from './scenario.ts';

const hourMs = 3_600_000;

/** Ingester 1 writes on, all is indexed, and the floor rises above everything that ingester 0 and its readers knew. */
async function moveOn(world: World): Promise<Content> {
  world.cluster.writesTo = 1;
  for (let w = 10; w < 15; w++) await write(world, w, [w], `key-${w}`);
  await write(world, 15, [1], 'key-15');
  await indexed(world);
  raiseFloor(world);
  return { 1: 15, 10: 10, 11: 11, 12: 12, 13: 13, 14: 14 };
}

describe('a zombie wakes after its next number was removed', () => {
  for (const stop of ['pause', 'suspend'] as const) {
    test(`a writer with nothing under way (${stop}): starts over at the head`, async () => {
      const world = createScenario();
      world.cluster.writesTo = 0;
      await write(world, 1, [1]);
      world.cluster.ingesters[0]?.actor[stop](2 * hourMs);
      const content = await moveOn(world);
      await pass(world, 2 * hourMs);
      world.cluster.writesTo = 0;
      const answer = await answered(world, startWrite(world, 20, [20]));
      expect(answer.status === 200 || answer.status === 503).toBe(true);
      expect((await write(world, 21, [21], 'key')).status).toBe(200);
      await expectContent(world, { ...content, ...(answer.status === 200 ? { 20: 20 } : {}), 21: 21 });
    });

    test(`a writer whose PUT arrives then (${stop}): nothing that is lost is acknowledged`, async () => {
      const world = createScenario();
      world.cluster.writesTo = 0;
      await write(world, 1, [1]);
      const hit = onFirst(world, { actor: /ingester-0/, verb: 'create', key: /\/log\// }, ({ actor }) => {
        world.scheduler.schedule(0, () => actor[stop](2 * hourMs));
        return { delayMs: hourMs };
      });
      const late = startWrite(world, 2, [1, 2], 'key-2');
      await until(world, () => hit.isHit);
      const content = await moveOn(world);
      await pass(world, 3 * hourMs);
      expect(world.store.objects.has(logKey(namespace, 2))).toBe(true); // re-created: its chain would fit
      expect((await answered(world, late)).status).not.toBe(200);
      await expectContent(world, content);
      world.cluster.writesTo = 0;
      expect((await write(world, 2, [1, 2], 'key-2')).status).toBe(200);
      await expectContent(world, { ...content, 1: 2, 2: 2 });
    });

    test(`a reader (${stop}): shows the present, not what was re-created behind it`, async () => {
      const world = createScenario();
      world.cluster.writesTo = 0;
      await write(world, 1, [1]);
      await expectContent(world, { 1: 1 });
      const hit = onFirst(world, { actor: /ingester-0/, verb: 'create', key: /\/log\// }, () => ({ delayMs: hourMs }));
      startWrite(world, 2, [1, 2]);
      await until(world, () => hit.isHit);
      world.cluster.ingesters[0]?.restart(100);
      world.cluster.queryNodes[0]?.actor[stop](2 * hourMs);
      const content = await moveOn(world);
      await pass(world, 3 * hourMs);
      expect(world.store.objects.has(logKey(namespace, 2))).toBe(true);
      const eventual = {
        rank_by: ['id', 'asc'],
        limit: 100,
        include_attributes: ['w'],
        consistency: { level: 'eventual', max_staleness_seconds: 60 },
      };
      const seen = await callUntilAnswered(world, 'POST', `${path}/query`, eventual, {}, 0);
      expect(contentOf(seen)).toEqual(content);
      await expectContent(world, content);
    });
  }

  test('an answer that is unknown, then a pause past the floor: "outcome unknown", never a second application', async () => {
    const world = createScenario();
    world.cluster.writesTo = 0;
    await write(world, 1, [1]);
    onFirst(world, { actor: /ingester-0/, verb: 'create', key: /\/log\// }, () => ({
      isAnswerLost: true,
      delayMs: 200,
    }));
    const hit = onFirst(world, { actor: /ingester-0/, verb: 'get', key: /\/log\// }, ({ actor }) => {
      actor.pause(2 * hourMs); // the answer, "absent", is seen only then; the PUT has arrived long before
      return undefined;
    });
    const unknown = startWrite(world, 2, [2], 'key-2');
    await until(world, () => hit.isHit);
    await pass(world, 1_000);
    const content = await moveOn(world);
    await pass(world, 3 * hourMs);
    expect((await answered(world, unknown)).status).not.toBe(200);
    await expectContent(world, { ...content, 2: 2 });
    world.cluster.writesTo = 0;
    expect((await write(world, 2, [2], 'key-2')).status).toBe(200);
    await expectContent(world, { ...content, 2: 2 });
  });
});

describe('a slow walk over old entries', () => {
  test('while garbage collection deletes ahead: the reader starts over, for entries that exist prove nothing', async () => {
    const world = createScenario();
    world.cluster.writesTo = 0;
    await write(world, 1, [1]);
    await expectContent(world, { 1: 1 }); // every node's view is proven now
    world.network.onMessage = ({ method, to }) =>
      method === 'notify' && /query/.test(to) ? { isLost: true } : undefined;
    for (let w = 2; w < 12; w++) await write(world, w, [w]);
    const newest = () => readLogModel(world.store.objects, namespace).generations.at(-1);
    await until(world, () => newest()?.kind === 'manifest' && (newest()?.generation ?? 0) > 11, 20_000);
    await pass(world, 20_000); // the proof is young when the walk begins, and old when it ends
    let readCount = 0;
    world.store.onCall = ({ actor, verb, key }) => {
      if (verb !== 'get' || !/query-0/.test(actor.name) || !/\/log\//.test(key)) return undefined;
      if (++readCount === 4) raiseFloor(world);
      if (readCount === 1) return { delayMs: 8_000 };
      return readCount === 2 ? { delayMs: 4_000 } : undefined;
    };
    const body = { rank_by: ['id', 'asc'], limit: 100, include_attributes: ['w'] };
    const seen = await callUntilAnswered(world, 'POST', `${path}/query`, body, {}, 0);
    expect(readCount).toBeGreaterThanOrEqual(4);
    expect(contentOf(seen)).toEqual(Object.fromEntries(Array.from({ length: 11 }, (_, i) => [i + 1, i + 1])));
  });
});
