import { describe, expect, test } from '@jest/globals';
import { callUntilAnswered, type PlainAnswer, type World } from '../world.ts';
import {
  answered,
  createScenario,
  expectContent,
  indexed,
  onFirst,
  path,
  raiseFloor,
  restartQueryNodes,
  start,
  startWrite,
  until,
  write,
} from './scenario.ts';

const metadataPath = '/v1/namespaces/alpha/metadata';

async function patch(world: World, body: object): Promise<PlainAnswer> {
  return await callUntilAnswered(world, 'PATCH', metadataPath, body);
}

describe('a read-only namespace', () => {
  test('takes no write that begins after the change was acknowledged, whichever ingester gets it', async () => {
    const world = createScenario({ ingesterCount: 2 });
    world.cluster.writesTo = 0;
    await write(world, 1, [1]);
    world.cluster.writesTo = 1;
    await write(world, 2, [2]);
    world.cluster.writesTo = 0;
    await write(world, 3, [3]);
    expect((await patch(world, { read_only: true })).status).toBe(200);
    for (const ingester of [1, 0]) {
      world.cluster.writesTo = ingester;
      expect(await answered(world, startWrite(world, 4, [4]))).toMatchObject({ status: 403 });
      expect(await answered(world, start(world, 'DELETE', path, undefined))).toMatchObject({ status: 403 });
    }
    await expectContent(world, { 1: 1, 2: 2, 3: 3 });
  });

  test('refuses a write whose number the change has taken', async () => {
    const world = createScenario({ ingesterCount: 2 });
    await write(world, 1, [1]);
    world.cluster.writesTo = 1;
    await write(world, 2, [2]);
    const held = onFirst(world, { actor: /ingester-1/, verb: 'create', key: /\/log\// }, () => ({ delayMs: 10_000 }));
    const late = startWrite(world, 3, [3]);
    await until(world, () => held.isHit);
    world.cluster.writesTo = 0;
    expect((await patch(world, { read_only: true })).status).toBe(200);
    expect((await answered(world, late)).status).toBe(403);
    await expectContent(world, { 1: 1, 2: 2 });
  });

  test('stays one when it is indexed, its log is cut and every server starts anew', async () => {
    const world = createScenario({ ingesterCount: 1 });
    await write(world, 1, [1, 2]);
    await patch(world, { read_only: true, recall: 0.8 });
    await indexed(world);
    raiseFloor(world);
    world.cluster.ingesters[0]?.restart(500);
    await restartQueryNodes(world);
    expect(await callUntilAnswered(world, 'GET', `${path}/metadata`, undefined)).toMatchObject({
      body: { read_only: true, recall: 0.8 },
    });
    const refused = await callUntilAnswered(world, 'POST', path, { upsert_rows: [{ id: 3, w: 3 }] });
    expect(refused.status).toBe(403);
    await patch(world, { read_only: false });
    await write(world, 4, [4]);
    await expectContent(world, { 1: 1, 2: 1, 4: 4 });
  });
});
