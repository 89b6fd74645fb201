import { describe, expect, test } from '@jest/globals';
import { defaultClusterOptions } from '../cluster.ts';
import { readLogModel } from '../log-model.ts';
import { callUntilAnswered, sleepVirtual, type World } from '../world.ts';
import { answered, createScenario, idleCompactor, start } from './scenario.ts';

const at = (name: string) => `/v2/namespaces/${name}`;

async function ask(world: World, method: string, path: string, body?: unknown, key?: string) {
  return await callUntilAnswered(world, method, path, body, key === undefined ? {} : { 'idempotency-key': key });
}

async function put(world: World, name: string, w: number, ids: readonly number[], key?: string): Promise<number> {
  const answer = await ask(world, 'POST', at(name), { upsert_rows: ids.map((id) => ({ id, w })) }, key);
  expect(answer.status).toBe(200);
  return Number(answer.body.manifest_generation);
}

async function branch(world: World, source: string, name: string): Promise<void> {
  expect((await ask(world, 'POST', at(name), { branch_from_namespace: source })).status).toBe(200);
}

async function rowsOf(world: World, name: string): Promise<[number, number][]> {
  const body = { rank_by: ['id', 'asc'], limit: 100, include_attributes: ['w'] };
  const answer = await ask(world, 'POST', `${at(name)}/query`, body);
  expect(answer.status).toBe(200);
  return (answer.body.rows as { id: number; w: number }[]).map(({ id, w }) => [id, w]);
}

const indexedMs = 30_000;

describe('branches', () => {
  test('parent and child at the same generation numbers, both with delete vectors, are independent', async () => {
    const world = createScenario({ compactor: { ...defaultClusterOptions.compactor, absorbBytesMax: 0 } });
    await put(world, 'parent', 1, [1, 2, 3, 4, 5, 6]);
    await sleepVirtual(world, indexedMs);
    await put(world, 'child', 9, [1]);
    await sleepVirtual(world, indexedMs);
    await ask(world, 'DELETE', at('child')); // the sequences are of one length, or nearly so
    await branch(world, 'parent', 'child');
    await ask(world, 'POST', at('parent'), { deletes: [1, 2] });
    await ask(world, 'POST', at('child'), { deletes: [2, 3], upsert_rows: [{ id: 4, w: 2 }] });
    await sleepVirtual(world, indexedMs);
    for (const node of world.cluster.queryNodes) node.restart(10);
    await sleepVirtual(world, 100);
    expect(await rowsOf(world, 'parent')).toEqual([3, 4, 5, 6].map((id) => [id, 1]));
    expect(await rowsOf(world, 'child')).toEqual([
      [1, 1],
      [4, 2],
      [5, 1],
      [6, 1],
    ]);
    for (const name of ['parent', 'child']) {
      const { body } = await ask(world, 'GET', `${at(name)}/metadata`);
      expect(body).toMatchObject({ approx_row_count: 4, index: { status: 'up-to-date' } });
    }
  });

  test.each([
    ['indexed on the way', {}],
    ['never indexed', { compactor: idleCompactor }],
  ])('five deep, every ancestor deleted: each generation of them left its rows (%s)', async (_, options) => {
    const world = createScenario(options);
    await put(world, 'n0', 0, [0, 100]);
    for (let depth = 1; depth <= 5; depth++) {
      await branch(world, `n${depth - 1}`, `n${depth}`);
      await put(world, `n${depth}`, depth, [depth, 100]);
      if (depth % 2 === 0) await sleepVirtual(world, indexedMs);
    }
    for (let depth = 0; depth < 5; depth++) await ask(world, 'DELETE', at(`n${depth}`));
    await put(world, 'n0', 77, [77]); // another life of the same name
    await sleepVirtual(world, indexedMs);
    expect(await rowsOf(world, 'n5')).toEqual([...[0, 1, 2, 3, 4, 5].map((id) => [id, id]), [100, 5]]);
    expect(await rowsOf(world, 'n0')).toEqual([[77, 77]]);
  });

  test('one idempotency key on a namespace, its branch and its next life is three applications', async () => {
    const world = createScenario();
    await put(world, 'parent', 1, [1], 'key');
    await branch(world, 'parent', 'child');
    await put(world, 'child', 1, [1], 'key');
    await ask(world, 'DELETE', at('parent'));
    await put(world, 'parent', 1, [1], 'key');
    const writes = (name: string) =>
      readLogModel(world.store.objects, name).generations.filter((generation) => generation.writes.includes(1)).length;
    expect([writes('parent'), writes('child')]).toEqual([2, 1]);
  });
});

describe('restores', () => {
  test.each(['before', 'after'])(
    'of a snapshot that is replaced while it runs, right %s its record is written: the old content, or refused',
    async (moment) => {
      const world = createScenario();
      await put(world, 'docs', 1, [1]);
      await ask(world, 'POST', `${at('docs')}/snapshots`, { name: 's' });
      await put(world, 'docs', 2, [2]);
      let held: (() => void) | undefined;
      world.store.onCall = ({ verb, key }) => {
        const isNow = moment === 'before' ? key.startsWith('family/') : key.startsWith('catalog/child');
        if (verb !== 'put' || !isNow || held !== undefined) return undefined;
        held = () => {};
        return { delayMs: 20_000 };
      };
      const restore = start(world, 'POST', `${at('docs')}/restore`, { snapshot: 's', into: 'child' });
      await sleepVirtual(world, 1_000);
      expect(held).toBeDefined();
      await ask(world, 'DELETE', `${at('docs')}/snapshots/s`);
      await ask(world, 'POST', `${at('docs')}/snapshots`, { name: 's' });
      const { status } = await answered(world, restore);
      expect(status).toBe(moment === 'before' ? 410 : 200);
      if (status === 200) expect(await rowsOf(world, 'child')).toEqual([[1, 1]]);
    },
  );

  test('of a snapshot that crashed between its two objects are not found, and another of the name may be taken', async () => {
    const world = createScenario({ ingesterCount: 1 });
    await put(world, 'docs', 1, [1]);
    const path = `${at('docs')}/snapshots`;
    world.store.onCall = ({ verb, key }) => {
      if (verb !== 'put' || !key.endsWith('.ok')) return undefined;
      world.cluster.ingesters[0]?.restart(100);
      return undefined;
    };
    start(world, 'POST', path, { name: 's' });
    await sleepVirtual(world, 5_000);
    world.store.onCall = undefined;
    expect((await ask(world, 'GET', path)).body).toEqual({ snapshots: [] });
    expect((await ask(world, 'POST', `${at('docs')}/restore`, { snapshot: 's', into: 'x' })).status).toBe(404);
    expect((await ask(world, 'POST', path, { name: 's' })).status).toBe(200);
    expect((await ask(world, 'POST', `${at('docs')}/restore`, { snapshot: 's', into: 'x' })).status).toBe(200);
    expect(await rowsOf(world, 'x')).toEqual([[1, 1]]);
  });
});
