import { expect, test } from '@jest/globals';
import { createSeededRandom } from '@lagoon/base';
import { defaultClusterOptions } from './cluster.ts';
import { createScenario, expectContent, indexed, path, restartQueryNodes } from './scenarios/scenario.ts';
import { callUntilAnswered, sleepVirtual, type World } from './world.ts';

const seedCount = 12;
const stepCount = 40;
const idCount = 8;

/** Every layer that a row can lie in comes about within a few writes. */
function createLayeredWorld(seed: number): World {
  return createScenario({
    seed,
    ingesterCount: 1,
    compactorCount: 1,
    queryNodeCount: 2,
    compactor: {
      ...defaultClusterOptions.compactor,
      tailAgeMs: 1_000,
      smallTailAgeMs: 1_000,
      absorbBytesMax: 0,
      mergeFanIn: 2 + (seed % 3),
      mergeDeadBytesMin: 0,
      ...(seed % 2 === 0 ? { segmentBytesMax: 2 << 10 } : {}),
    },
  });
}

async function send(world: World, body: unknown): Promise<Record<string, unknown>> {
  const answer = await callUntilAnswered(world, 'POST', path, body);
  expect(answer.status).toBe(200);
  return answer.body;
}

test('upserts of ids that are there, deletes and new inserts, in the tail, fresh segments and merged ones: rows and counts are exactly the model', async () => {
  let mergeCount = 0;
  for (let seed = 1; seed <= seedCount; seed++) {
    const random = createSeededRandom(seed);
    const world = createLayeredWorld(seed);
    const model = new Map<number, number>();
    await send(world, { upsert_rows: [{ id: 0, w: 0 }] });
    model.set(0, 0);
    for (let w = 1; w <= stepCount; w++) {
      const ids = [...new Set(Array.from({ length: 1 + random.integer(4) }, () => random.integer(idCount)))];
      const draw = random.float();
      if (draw < 0.45) {
        await send(world, { upsert_rows: ids.map((id) => ({ id, w })) });
        for (const id of ids) model.set(id, w);
      } else if (draw < 0.7) {
        await send(world, { deletes: ids });
        for (const id of ids) model.delete(id);
      } else if (draw < 0.8) {
        const { rows_patched: patched } = await send(world, { patch_rows: ids.map((id) => ({ id, w })) });
        expect(patched ?? 0).toBe(ids.filter((id) => model.has(id)).length);
        for (const id of ids) if (model.has(id)) model.set(id, w);
      } else if (draw < 0.9)
        await sleepVirtual(world, 1_500); // an index job, with or without the merge that it calls for
      else await indexed(world);
      if (random.float() < 0.1) await restartQueryNodes(world); // knows no rows but from the store
      await expectContent(world, Object.fromEntries(model));
    }
    await indexed(world);
    await sleepVirtual(world, 5_000);
    await restartQueryNodes(world);
    await expectContent(world, Object.fromEntries(model));
    const { body } = await callUntilAnswered(world, 'GET', `${path}/metadata`, undefined);
    expect({ seed, count: body.approx_row_count }).toEqual({ seed, count: model.size });
    mergeCount += world.cluster.counted.get('lagoon_compactor_merges_total committed') ?? 0;
  }
  expect(mergeCount).toBeGreaterThan(seedCount * 2);
}, 120_000);
