import { describe, expect, test } from '@jest/globals';
import { createMemoryStore, metered, type ObjectStore } from '@lagoon/object-store';
import { compact, createTestClock, createTestWorld, type TestWorld } from './testing.ts';

const large = { leaseBytesMin: 0 };

async function writeTail(world: TestWorld): Promise<void> {
  await world.write([
    [1, 'one'],
    [2, 'two'],
  ]);
  await world.write([[2, 'second']], [1]);
}

const content = new Map([[2, 'second']]);

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await store.list({ prefix })).objects.map(({ key }) => key);
}

describe('a large index job', () => {
  test('is claimed and the claim released; a small one makes no request for that', async () => {
    const clock = createTestClock();
    const store = metered(createMemoryStore({ clock }), { clock });
    const leaseCalls: string[] = [];
    const watched: ObjectStore = {
      ...store,
      list: (options, signal) => {
        if (options.prefix.startsWith('leases/')) leaseCalls.push('list');
        return store.list(options, signal);
      },
      create: (key, bytes, signal) => {
        if (key.startsWith('leases/')) leaseCalls.push('create');
        return store.create(key, bytes, signal);
      },
    };
    const world = createTestWorld(watched, clock);
    await writeTail(world);
    await compact(world.compactor());
    expect(leaseCalls).toEqual([]);
    await world.write([[3, 'three']]);
    await compact(world.compactor({ config: large, seed: 5 }));
    expect(leaseCalls).toEqual(['list', 'create']);
    expect(await keysOf(store, 'leases/')).toEqual([]);
    expect((await world.content()).size).toBe(2);
  });

  test('that another has claimed is left to it, and done when the claim is void', async () => {
    const world = createTestWorld();
    await writeTail(world);
    await world.store.create('leases/index-words/00000000000000000001', new Uint8Array(0));
    const role = world.compactor({ config: large });
    await compact(role);
    expect((await world.view()).live?.tail.length).toBe(2);
    for (let i = 0; i < 40 && (await world.view()).live?.tail.length !== 0; i++) {
      world.clock.advance(15_000);
      await role.settled();
    }
    expect((await world.view()).live?.tail).toEqual([]);
    expect(await world.content()).toEqual(content);
    expect(await keysOf(world.store, 'leases/')).toEqual([]);
    await role.close();
  });

  test('done by two compactors that hold the same lease: one manifest counts, content is right', async () => {
    const clock = createTestClock();
    const memory = createMemoryStore({ clock });
    // A store that forgets claims: each of the two is told that it holds the lease.
    const forgetful: ObjectStore = {
      ...memory,
      create: (key, bytes, signal) =>
        key.startsWith('leases/')
          ? Promise.resolve({ outcome: 'created', storeTimeMs: clock.wallMs() })
          : memory.create(key, bytes, signal),
    };
    const world = createTestWorld(forgetful, clock);
    await writeTail(world);
    const roles = [1, 2].map((seed) => world.compactor({ config: large, seed }));
    await Promise.all(roles.map(compact));
    const { live, generation } = await world.view();
    expect(live?.tail).toEqual([]);
    expect(generation).toBe(3);
    expect(await world.content()).toEqual(content);
    await world.write([[4, 'four']]);
    await Promise.all(roles.map(compact));
    expect(await world.content()).toEqual(new Map([...content, [4, 'four']]));
  });
});
