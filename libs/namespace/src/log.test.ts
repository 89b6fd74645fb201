import { beforeEach, describe, expect, test } from '@jest/globals';
import { createSeededRandom, LagoonError, noMetrics, silentLog } from '@lagoon/base';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { listNamespaces } from './catalog.ts';
import { floorKey, headKey, logKey } from './keys.ts';
import { createNamespaceLog } from './log.ts';
import type { NamespaceLog } from './namespace-log.ts';
import {
  batchDraft,
  birthDraft,
  createScriptedStore,
  createTestClock,
  partsOf,
  type ScriptedStore,
  type TestClock,
} from './testing.ts';
import type { NamespaceView } from './view.ts';

let clock: TestClock;
let memory: ObjectStore;
let store: ScriptedStore;
let log: NamespaceLog;
let other: NamespaceLog;

const makeLog = (seed: number): NamespaceLog =>
  createNamespaceLog({ store, clock, random: createSeededRandom(seed), log: silentLog, metrics: noMetrics });

beforeEach(() => {
  clock = createTestClock();
  memory = createMemoryStore({ clock: { wallMs: clock.worldMs } });
  store = createScriptedStore(memory);
  log = makeLog(1);
  other = makeLog(2);
});

async function born(...parts: number[][]): Promise<NamespaceView> {
  const { view } = await log.open('docs');
  return (await log.append(view, () => birthDraft('a', ...parts))).view;
}

/** Appends batches of one byte each. */
async function grow(view: NamespaceView, values: readonly number[]): Promise<NamespaceView> {
  let grown = view;
  for (const value of values) grown = (await log.append(grown, () => batchDraft([value]))).view;
  return grown;
}

const unproven = (view: NamespaceView): string => JSON.stringify({ ...view, proof: undefined });

const contentAtHead = async (): Promise<string[]> => partsOf((await makeLog(99).open('docs')).events);

const raiseFloor = async (generation: number, deleteBelow: boolean): Promise<void> => {
  await memory.put(floorKey('docs', generation), new Uint8Array(0));
  if (!deleteBelow) return;
  await memory.delete(Array.from({ length: generation }, (_, index) => logKey('docs', index + 1)));
};

const outcomeUnknown = { code: 'unavailable', reason: 'outcome_unknown' };

describe('the life of a namespace', () => {
  test('what one writer appends, another reader opens and follows to the same view', async () => {
    const first = await born([1, 2, 3]);
    const seen = await other.open('docs');
    expect(partsOf(seen.events)).toEqual(['1,2,3']);
    const second = await log.append(first, () => batchDraft([4]));
    const advanced = await other.advance(seen.view, {});
    expect(advanced.restarted).toBe(false);
    expect(partsOf(advanced.events)).toEqual(['4']);
    expect(unproven(advanced.view)).toBe(unproven(second.view));
  });

  test('truncate ends it, a new birth goes on with the sequence, and nothing of the old life returns', async () => {
    const first = await born([1]);
    const keyed = {
      key: 'k',
      bodyHash: new Uint8Array(32),
      rowsUpserted: 1,
      rowsDeleted: 0,
      rowsPatched: 0,
      rowsRemaining: false,
    };
    const record = { ...keyed, logicalBytesWritten: 8, writtenAtMs: 1 };
    const second = await log.append(first, () => ({ ...batchDraft([2]), idempotency: [record] }) as never);
    expect(second.view.live?.tail.at(-1)?.idempotency).toMatchObject([{ key: 'k', generation: 2 }]);
    const ended = await log.append(second.view, () => ({ kind: 'truncate' }));
    expect(ended.view.live).toBeUndefined();
    expect((await listNamespaces(store, { prefix: '', pageSize: 10 })).names).toEqual([]);
    const again = await log.append(ended.view, () => birthDraft('b', [3]));
    expect(again).toMatchObject({ outcome: 'committed', generation: 4 });
    expect(again.view.live).toMatchObject({
      incarnation: 'b',
      birthGeneration: 4,
      tail: [{ generation: 4, idempotency: [] }],
    });
    expect(await contentAtHead()).toEqual(['3']);
    const followed = await other.advance(first, {});
    expect(followed.events.map((event) => event.kind)).toEqual(['batch', 'truncate', 'birth', 'batch']);
  });

  test('two births race: one is born, the other one becomes a batch and its marker is gone', async () => {
    const mine = await log.open('docs');
    await other.append((await other.open('docs')).view, () => birthDraft('b', [1]));
    const result = await log.append(mine.view, (view) =>
      view.live === undefined ? birthDraft('a', [2]) : batchDraft([2]),
    );
    expect(result).toMatchObject({ outcome: 'committed', generation: 2 });
    expect((await memory.list({ prefix: 'catalog/' })).objects.map(({ key }) => key)).toEqual(['catalog/docs/b']);
  });

  test('a birth that the store refuses leaves no name behind, one that may have happened keeps its marker', async () => {
    const full = new LagoonError('resource_exhausted', 'scripted');
    store.expectNext('create', 'log/', { before: () => Promise.reject(full) });
    await expect(born([1])).rejects.toBe(full);
    expect((await listNamespaces(memory, { prefix: '', pageSize: 10 })).names).toEqual([]);
    for (let attempt = 0; attempt < 6; attempt++) store.expectNext('create', 'log/', 'drop');
    await expect(born([1])).rejects.toMatchObject(outcomeUnknown);
    expect((await listNamespaces(memory, { prefix: '', pageSize: 10 })).names).toEqual(['docs']);
  });

  test('parts above 4 MiB go to a body of their own, and come back verified', async () => {
    const view = await born([1]);
    const part = new Uint8Array((4 << 20) + 5).fill(9);
    const draft = {
      kind: 'batch' as const,
      parts: [part, Uint8Array.from([7])],
      upsertedRowCount: 1,
      deletedRowCount: 0,
    };
    store.takeRequests();
    const result = await log.append(view, () => ({ ...draft, idempotency: [] }));
    expect(store.takeRequests().map((request) => request.split(' ')[0])).toEqual(['put', 'create']);
    expect(result.view.live?.tail.at(-1)?.sizeBytes).toBeGreaterThan(part.length);
    const { events } = await other.open('docs');
    const batch = events.at(-1);
    expect(batch?.kind === 'batch' && batch.parts.map((bytes) => bytes.length)).toEqual([part.length, 1]);
    const body = (await memory.list({ prefix: 'ns/docs/body/' })).objects[0]?.key ?? '';
    await memory.put(body, new Uint8Array(part.length));
    await expect(other.open('docs')).rejects.toMatchObject({ code: 'corrupt', context: { key: body } });
  });
});

describe('the request budget', () => {
  test('the first write of a namespace takes four requests', async () => {
    await born([1]);
    expect(store.takeRequests().map((request) => request.split(' ')[0])).toEqual(['list', 'get', 'put', 'create']);
  });

  test('a warm append is one PUT, a warm strong read one GET', async () => {
    const view = await born([1]);
    store.takeRequests();
    const appended = await log.append(view, () => batchDraft([2]));
    expect(store.takeRequests()).toEqual([`create ${logKey('docs', 2)}`]);
    await log.advance(appended.view, {});
    expect(store.takeRequests()).toEqual([`get ${logKey('docs', 3)}`]);
  });

  test('an unproven writer lists the floors beside its one PUT', async () => {
    const view = await born([1]);
    clock.advance(31_000);
    store.takeRequests();
    await log.append(view, () => batchDraft([2]));
    expect(store.takeRequests().sort()).toEqual([`create ${logKey('docs', 2)}`, 'list ns/docs/floor/']);
  });

  test('probes renew a proof for as long as they come', async () => {
    let view = await born([1]);
    store.takeRequests();
    for (let i = 0; i < 10; i++) {
      clock.advance(20_000);
      view = (await log.advance(view, {})).view;
    }
    expect(store.takeRequests().every((request) => request.startsWith('get '))).toBe(true);
  });
});

describe('outcomes', () => {
  test('a lost answer is found by reading back: applied once', async () => {
    const view = await born([1]);
    store.expectNext('create', 'log/', 'lose_answer');
    const result = await log.append(view, () => batchDraft([2]));
    expect(result).toMatchObject({ outcome: 'committed', generation: 2 });
    expect(await contentAtHead()).toEqual(['1', '2']);
  });

  test('a request that was not applied is sent again for the same number', async () => {
    const view = await born([1]);
    store.expectNext('create', 'log/', 'drop');
    store.expectNext('create', 'log/', 'drop');
    expect(await log.append(view, () => batchDraft([2]))).toMatchObject({ generation: 2 });
    expect(await contentAtHead()).toEqual(['1', '2']);
  });

  test('a request applied late, while it is sent again: still once', async () => {
    const view = await born([1]);
    store.expectNext('create', 'log/', 'late');
    store.expectNext('create', 'log/', { before: () => store.release() });
    expect(await log.append(view, () => batchDraft([2]))).toMatchObject({ generation: 2 });
    expect(await contentAtHead()).toEqual(['1', '2']);
  });

  test('unknown, and another writer took the number: resolved again on its entry', async () => {
    const view = await born([1]);
    store.expectNext('create', 'log/', 'drop');
    store.expectNext('get', 'log/', { before: async () => void (await other.append(view, () => batchDraft([5]))) });
    const seen: number[] = [];
    const result = await log.append(view, (current) => {
      seen.push(current.generation);
      return batchDraft([2]);
    });
    expect(result).toMatchObject({ generation: 3 });
    expect(seen).toEqual([1, 2]);
    expect(await contentAtHead()).toEqual(['1', '5', '2']);
  });

  test('a store that never answers: the outcome is unknown, and said so', async () => {
    const view = await born([1]);
    for (let i = 0; i < 20; i++) store.expectNext('create', 'log/', 'drop');
    await expect(log.append(view, () => batchDraft([2]))).rejects.toMatchObject(outcomeUnknown);
  });

  test('two writers that race for every number lose nothing, and all see one order', async () => {
    const view = await born([1]);
    const run = async (by: NamespaceLog, values: readonly number[]) => {
      let current = view;
      for (const value of values) current = (await by.append(current, () => batchDraft([value]))).view;
    };
    await Promise.all([run(log, [10, 11, 12, 13]), run(other, [20, 21, 22, 23]), run(makeLog(3), [30, 31, 32])]);
    const content = (await contentAtHead()).map(Number);
    expect(content.toSorted((a, b) => a - b)).toEqual([1, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32]);
    for (const decade of [1, 2, 3]) {
      const own = content.filter((value) => Math.floor(value / 10) === decade);
      expect(own).toEqual(own.toSorted((a, b) => a - b));
    }
  });

  test('nothing, or a failure, is believed only on the newest view', async () => {
    const view = await born([1]);
    await other.append(view, () => batchDraft([5]));
    const result = await log.append(view, () => 'nothing');
    expect(result).toMatchObject({ outcome: 'nothing', view: { generation: 2 } });
    const condition = (current: NamespaceView) => {
      if (current.generation < 2) throw new Error('stale');
      return batchDraft([6]);
    };
    expect(await log.append(view, condition)).toMatchObject({ outcome: 'committed', generation: 3 });
    const never = () => {
      throw new Error('never');
    };
    await expect(log.append(view, never)).rejects.toThrow('never');
  });
});

describe('a view far behind', () => {
  test('catches up in windows instead of losing every number', async () => {
    const stale = await born([1]);
    await grow(
      stale,
      Array.from({ length: 100 }, (_, index) => index),
    );
    store.takeRequests();
    expect(await other.append(stale, () => batchDraft([200]))).toMatchObject({ generation: 102 });
    const creates = store.takeRequests().filter((request) => request.startsWith('create'));
    expect(creates).toHaveLength(3);
  });

  test('follows what it is told to exist at once', async () => {
    const stale = await born([1]);
    const newest = await grow(stale, [2, 3, 4, 5]);
    store.takeRequests();
    const read = await other.advance(stale, { generationMin: newest.generation });
    expect(partsOf(read.events)).toEqual(['2', '3', '4', '5']);
    expect(store.takeRequests()).toHaveLength(5);
  });
});

describe('a body that waits', () => {
  test('is used again for the next number, and written again when it is older than an hour', async () => {
    const view = await born([1]);
    const parts = [new Uint8Array((4 << 20) + 1)];
    const draft = { kind: 'batch' as const, parts, upsertedRowCount: 1, deletedRowCount: 0, idempotency: [] };
    const bodies = async () => (await memory.list({ prefix: 'ns/docs/body/' })).objects.length;
    store.expectNext('create', 'log/', { before: async () => void (await other.append(view, () => batchDraft([5]))) });
    const second = await log.append(view, () => draft);
    expect(second).toMatchObject({ generation: 3 });
    expect(await bodies()).toBe(1);
    store.expectNext('create', 'log/', {
      before: async () => {
        await other.append(second.view, () => batchDraft([6]));
        clock.advance(3_700_000);
      },
    });
    expect(await log.append(second.view, () => draft)).toMatchObject({ generation: 5 });
    expect(await bodies()).toBe(3);
  });
});

describe('below the floor', () => {
  /** A namespace whose numbers up to 3 are gone: the floor is 3, generation 4 a truncate, 5 a birth. */
  async function collected(): Promise<NamespaceView> {
    const stale = await grow(await born([1]), [2]);
    const third = await log.append(stale, () => batchDraft([3]));
    const ended = await log.append(third.view, () => ({ kind: 'truncate' }));
    await log.append(ended.view, () => birthDraft('b', [8]));
    await raiseFloor(3, true);
    return stale;
  }

  test('a zombie writer whose number was removed learns that the outcome is unknown', async () => {
    const stale = await collected();
    clock.advance(3_600_000);
    await expect(log.append(stale, () => batchDraft([9]))).rejects.toMatchObject(outcomeUnknown);
    expect(await contentAtHead()).toEqual(['8']);
  });

  test('also after a suspend that stopped its own clocks: the store tells the time', async () => {
    const stale = await collected();
    clock.suspend(3_600_000);
    await expect(log.append(stale, () => batchDraft([9]))).rejects.toMatchObject(outcomeUnknown);
  });

  test('a zombie reader starts over at the head, and shows nothing old', async () => {
    const stale = await collected();
    clock.suspend(3_600_000);
    const read = await log.advance(stale, {});
    expect(read.restarted).toBe(true);
    expect(partsOf(read.events)).toEqual(['8']);
  });

  test('an entry that a delayed PUT re-created there is not shown', async () => {
    const stale = await grow(await born([1]), [2]);
    store.expectNext('create', 'log/', 'late');
    store.expectNext('get', 'log/', { before: async () => void (await other.append(stale, () => batchDraft([5]))) });
    const third = await log.append(stale, (view) => (view.generation === 2 ? batchDraft([7]) : batchDraft([6])));
    const ended = await log.append(third.view, () => ({ kind: 'truncate' }));
    await log.append(ended.view, () => birthDraft('b', [8]));
    await raiseFloor(4, true);
    clock.advance(3_600_000);
    await store.release(); // generation 3 again, and its chain fits
    expect(await memory.get(logKey('docs', 3))).toBeDefined();
    const read = await other.advance(stale, {});
    expect(read.restarted).toBe(true);
    expect(partsOf(read.events)).toEqual(['8']);
  });

  test('a writer that only ever heard 412 there starts over and commits', async () => {
    const stale = await grow(await born([1]), [2]);
    const third = await log.append(stale, () => batchDraft([3]));
    const ended = await log.append(third.view, () => ({ kind: 'truncate' }));
    await log.append(ended.view, () => birthDraft('b', [8]));
    await raiseFloor(3, false);
    clock.advance(3_600_000);
    expect(await log.append(stale, () => batchDraft([9]))).toMatchObject({ outcome: 'committed', generation: 6 });
    expect(await contentAtHead()).toEqual(['8', '9']);
  });

  test('a won number counts only if the proof still holds when the answer is there', async () => {
    const view = await born([1]);
    store.expectNext('create', 'log/', {
      before: async () => {
        const { view: second } = await other.append(view, () => ({ kind: 'truncate' }));
        await other.append(second, () => birthDraft('b', [8]));
        await raiseFloor(2, true);
        clock.suspend(3_600_000);
      },
    });
    store.takeRequests();
    await expect(log.append(view, () => batchDraft([9]))).rejects.toMatchObject(outcomeUnknown);
  });

  test('a chain that does not fit above the floor is corrupt', async () => {
    const view = await born([1]);
    const foreign = createNamespaceLog({
      store,
      clock,
      random: createSeededRandom(7),
      log: silentLog,
      metrics: noMetrics,
    });
    const tip = { hash: new Uint8Array(32), commitId: 'x' };
    await foreign.append({ ...view, tip }, () => batchDraft([2]));
    await expect(log.advance(view, {})).rejects.toMatchObject({ code: 'corrupt' });
    await expect(log.open('docs')).rejects.toMatchObject({ code: 'corrupt' });
  });
});

describe('finding the head', () => {
  test('through a long log, without any hint', async () => {
    const values = Array.from({ length: 700 }, (_, index) => index % 200);
    const view = await grow(await born([1]), values);
    const { view: found, events } = await other.open('docs');
    expect(unproven(found)).toBe(unproven(view));
    expect(events).toHaveLength(701);
  });

  test('with a stale, corrupt, lying or lost hint alike', async () => {
    const view = await grow(await born([1]), [2, 3]);
    await log.writeHint(view);
    const hint = await memory.get(headKey('docs'));
    const newest = await grow(view, [4, 5]);
    expect(unproven((await other.open('docs')).view)).toBe(unproven(newest));
    for (const bytes of [
      Uint8Array.from([1, 2, 3]),
      new Uint8Array(0),
      hint?.bytes.slice(0, -3) ?? new Uint8Array(1),
    ]) {
      await memory.put(headKey('docs'), bytes);
      expect(unproven((await other.open('docs')).view)).toBe(unproven(newest));
    }
    await log.writeHint({ ...newest, generation: 1_000 });
    expect(unproven((await other.open('docs')).view)).toBe(unproven(newest));
  });

  test('damage on the way is fetched again; damage in the store is corrupt', async () => {
    const view = await grow(await born([1]), [2]);
    const object = await memory.get(logKey('docs', 2));
    const torn = object?.bytes.slice(0, 40) ?? new Uint8Array(0);
    await memory.put(logKey('docs', 2), torn);
    await expect(other.open('docs')).rejects.toMatchObject({ code: 'corrupt', context: { key: logKey('docs', 2) } });
    await memory.put(logKey('docs', 2), object?.bytes ?? torn);
    expect(unproven((await other.open('docs')).view)).toBe(unproven(view));
  });
});
