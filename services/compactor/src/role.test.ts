import { describe, expect, test } from '@jest/globals';
import { LagoonError } from '@lagoon/base';
import { writeDirtyMarker } from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { AppendManifestResponse_Outcome } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import {
  compact,
  createTestClock,
  createTestWorld,
  handingIngester,
  mortal,
  notify,
  settleMicrotasks,
  testName,
} from './testing.ts';

describe('when a tail is indexed', () => {
  test('a heavy one at once, another after some seconds, a small one later still', async () => {
    const cases = [
      { bytes: 16 << 20, entries: 1, dueMs: 0 },
      { bytes: 1, entries: 256, dueMs: 0 },
      { bytes: 2 << 20, entries: 1, dueMs: 5_000 },
      { bytes: 1, entries: 100, dueMs: 5_000 },
      { bytes: 100, entries: 1, dueMs: 60_000 },
    ];
    for (const { bytes, entries, dueMs } of cases) {
      const world = createTestWorld();
      await world.write([[1, 'one']]);
      let openCount = 0;
      const log = {
        ...world.log,
        open: (...asked: Parameters<typeof world.log.open>) => {
          openCount++;
          return world.log.open(...asked);
        },
      };
      const role = world.compactor({ log, config: { tailAgeMs: 5_000, smallTailAgeMs: 60_000 } });
      role.start();
      await role.settled();
      await notify(role, bytes, entries);
      if (dueMs > 0) {
        world.clock.advance(dueMs - 1);
        expect(openCount).toBe(0);
        world.clock.advance(1);
      }
      await role.settled();
      expect(openCount).toBe(1);
      await role.close();
    }
  });

  test('a marker brings a compactor to a tail that nobody told it of, and goes when the tail is indexed', async () => {
    const world = createTestWorld();
    await world.write([[1, 'one']]);
    await writeDirtyMarker(world.store, testName, 1);
    await writeDirtyMarker(world.store, 'nothing-there', 7);
    const role = world.compactor();
    role.start();
    await role.settled();
    expect((await world.view()).live?.tail).toEqual([]);
    world.clock.advance(10_000);
    await role.settled();
    expect((await world.store.list({ prefix: 'dirty/' })).objects).toEqual([]);
  });

  test('a failed job is tried again after a while', async () => {
    const clock = createTestClock();
    let failures = 1;
    const inner = createMemoryStore({ clock });
    const store: ObjectStore = {
      ...inner,
      create: (key, bytes, signal) => {
        if (key.endsWith('.seg') && failures-- > 0) throw new LagoonError('unavailable', 'store is down');
        return inner.create(key, bytes, signal);
      },
    };
    const world = createTestWorld(inner, clock);
    await world.write([[1, 'one']]);
    const role = world.compactor({ store });
    await compact(role);
    expect((await world.view()).live?.tail.length).toBe(1);
    clock.advance(60_000);
    await role.settled();
    expect((await world.view()).live?.tail).toEqual([]);
  });
});

describe('hand-over', () => {
  test('the ingester appends the entry and the compactor does not', async () => {
    const world = createTestWorld();
    await world.write([[1, 'one']]);
    const ingester = handingIngester(world);
    await compact(world.compactor({ ingester: ingester.client }));
    expect(ingester.callCount()).toBe(1);
    const view = await world.view();
    expect(view.generation).toBe(2);
    expect(view.live?.manifest.generation).toBe(2);
  });

  test('an ingester that appends but does not answer: both append, one manifest', async () => {
    const world = createTestWorld();
    await world.write([[1, 'one']]);
    const ingester = handingIngester(world, { answer: new LagoonError('deadline_exceeded', 'no answer') });
    await compact(world.compactor({ ingester: ingester.client }));
    expect(ingester.callCount()).toBe(1);
    expect((await world.view()).generation).toBe(2);
    expect(await world.content()).toEqual(new Map([[1, 'one']]));
  });

  test('an ingester that is away: the compactor appends by itself', async () => {
    const world = createTestWorld();
    await world.write([[1, 'one']]);
    const answer = new LagoonError('unavailable', 'no route');
    const ingester = handingIngester(world, { answer, isAppended: false });
    await compact(world.compactor({ ingester: ingester.client }));
    expect((await world.view()).live?.manifest.generation).toBe(2);
  });

  test('objects of a job that was handed over and superseded are left to the garbage collector', async () => {
    const world = createTestWorld();
    await world.write([[1, 'one']]);
    const ingester = handingIngester(world, { outcome: AppendManifestResponse_Outcome.SUPERSEDED, isAppended: false });
    const role = world.compactor({ ingester: ingester.client });
    await compact(role);
    expect((await world.store.list({ prefix: 'data/' })).objects.length).toBe(1);
    expect((await world.view()).live?.tail.length).toBe(1);
    await role.close();
  });
});

describe('an outcome that stays unknown', () => {
  test('leaves the objects in place, for the entry may still come into being', async () => {
    const clock = createTestClock();
    const inner = createMemoryStore({ clock });
    const world = createTestWorld(inner, clock);
    await world.write([[1, 'one']]);
    const late: (() => Promise<unknown>)[] = [];
    const store: ObjectStore = {
      ...inner,
      create: async (key, bytes, signal) => {
        if (!key.includes('/log/')) return await inner.create(key, bytes, signal);
        late.push(() => inner.create(key, bytes));
        return { outcome: 'unknown', cause: new Error('no answer'), storeTimeMs: undefined };
      },
    };
    const role = world.compactor({ store });
    await compact(role);
    expect((await world.view()).live?.tail.length).toBe(1);
    await late[0]?.();
    expect((await world.view()).live?.tail).toEqual([]);
    expect(await world.content()).toEqual(new Map([[1, 'one']]));
    await role.close();
  });
});

describe('two compactors', () => {
  test('at once: one manifest per tail, the content is the same, the loser removes what it wrote', async () => {
    const world = createTestWorld();
    await world.write([
      [1, 'one'],
      [2, 'two'],
    ]);
    await world.write([[2, 'zwei']], [1]);
    const a = world.compactor({ seed: 1 });
    const b = world.compactor({ seed: 2 });
    await Promise.all([compact(a), compact(b)]);
    const { live } = await world.view();
    expect(live?.tail).toEqual([]);
    expect(live?.manifest.segments.length).toBe(1);
    expect((await world.store.list({ prefix: 'data/' })).objects.map(({ key }) => key)).toEqual([
      live?.manifest.segments[0]?.object.key,
    ]);
    expect(await world.content()).toEqual(new Map([[2, 'zwei']]));
  });
});

describe('a compactor that dies', () => {
  test('after any of its store calls: content unchanged, and another one finishes the work', async () => {
    let calls = Number.POSITIVE_INFINITY;
    for (let dieAfter = 0; dieAfter < calls; dieAfter++) {
      const clock = createTestClock();
      const inner = createMemoryStore({ clock });
      const world = createTestWorld(inner, clock);
      await world.write([
        [1, 'one'],
        [2, 'two'],
      ]);
      await compact(world.compactor());
      await world.write(
        [
          [2, 'zwei'],
          [3, 'drei'],
        ],
        [1],
        ['key'],
      );
      let count = 0;
      const dying = world.compactor({ store: mortal(inner, () => count++ >= dieAfter), seed: 50 + dieAfter });
      const outcome = await Promise.race([compact(dying).then(() => 'done'), settleMicrotasks().then(() => 'dead')]);
      if (outcome === 'done') calls = Math.min(calls, count);
      const expected = new Map([
        [2, 'zwei'],
        [3, 'drei'],
      ]);
      expect(await world.content()).toEqual(expected);
      await compact(world.compactor({ seed: 100 + dieAfter }));
      expect((await world.view()).live?.tail).toEqual([]);
      expect(await world.content()).toEqual(expected);
      if (outcome === 'done') break;
    }
    expect(calls).toBeLessThan(20);
  });
});

describe('what it costs', () => {
  test('a small index job makes at most 6 store requests besides the data', async () => {
    const clock = createTestClock();
    const inner = createMemoryStore({ clock });
    const world = createTestWorld(inner, clock);
    await world.write([[1, 'one']]);
    await compact(world.compactor());
    await world.write([[2, 'two']]);
    await world.write([[3, 'three']]);
    const keys: string[] = [];
    const role = world.compactor({ store: counting(inner, keys), seed: 33 });
    await compact(role);
    expect((await world.view()).live?.tail).toEqual([]);
    const isData = (call: string) => /data\/|log\/0*[34]$/.test(call);
    const isShared = (call: string) => call.includes('dirty/');
    expect(keys.filter((call) => !isData(call) && !isShared(call)).length).toBe(6);
  });
});

function counting(inner: ObjectStore, calls: string[]): ObjectStore {
  const note =
    <A extends unknown[], R>(verb: string, run: (...args: A) => Promise<R>) =>
    (...args: A): Promise<R> => {
      const [first] = args;
      calls.push(`${verb} ${typeof first === 'string' ? first : JSON.stringify(first)}`);
      return run(...args);
    };
  return {
    ...inner,
    get: note('get', inner.get),
    put: note('put', inner.put),
    create: note('create', inner.create),
    list: note('list', inner.list),
    delete: note('delete', inner.delete),
  };
}
