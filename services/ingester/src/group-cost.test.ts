import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createNamespaceLog } from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { compare, type RowWrite, readDocuments, writeRows } from './row-testing.ts';
import { createTestClock, createTestIngester, liveIds } from './testing.ts';

function counting(inner: ObjectStore): { store: ObjectStore; calls: string[] } {
  const calls: string[] = [];
  const store: ObjectStore = {
    ...inner,
    get: (key, options, signal) => note(`get ${key}`, inner.get(key, options, signal)),
    put: (key, bytes, signal) => note(`put ${key}`, inner.put(key, bytes, signal)),
    create: (key, bytes, signal) => note(`create ${key}`, inner.create(key, bytes, signal)),
    list: (options, signal) => note(`list ${options.prefix}`, inner.list(options, signal)),
    delete: (keys, signal) => note(`delete ${keys.join()}`, inner.delete(keys, signal)),
  };
  const note = <R>(call: string, answer: Promise<R>): Promise<R> => {
    calls.push(call);
    return answer;
  };
  return { store, calls };
}

describe('what a write costs', () => {
  test('the first of a namespace at most 4 requests, one to a warm namespace exactly one PUT', async () => {
    const clock = createTestClock();
    const { store, calls } = counting(createMemoryStore({ clock }));
    const ingester = createTestIngester({ store, clock });
    await ingester.write({ rows: [[1, 'one']] });
    expect(calls.length).toBeLessThanOrEqual(4);
    calls.length = 0;
    await ingester.write({ rows: [[2, 'two']] });
    expect(calls).toEqual(['create ns/words/log/00000000000000000002']);
  });

  test('a write that depends on rows costs one PUT too once they are there, and a lost race two requests more', async () => {
    const clock = createTestClock();
    const { store, calls } = counting(createMemoryStore({ clock }));
    const [ours, rival] = [1, 2].map((seed) => createTestIngester({ store, clock, seed }));
    if (ours === undefined || rival === undefined) throw new Error('two ingesters');
    const increment = (from: number): RowWrite => ({
      patches: new Map([[1, { n: from + 1 }]]),
      patchCondition: compare('n', 'eq', from),
    });
    const entry = (generation: number) => `ns/words/log/${String(generation).padStart(20, '0')}`;
    await writeRows(ours, { upserts: new Map([[1, { n: 0 }]]) });
    calls.length = 0;
    expect((await writeRows(ours, increment(0))).patched).toBe(1);
    expect(calls.filter((call) => !call.startsWith('get'))).toEqual(['list ns/words/', `create ${entry(2)}`]);
    calls.length = 0;
    expect((await writeRows(ours, increment(1))).patched).toBe(1);
    expect(calls).toEqual([`create ${entry(3)}`]);
    expect((await writeRows(rival, increment(2))).patched).toBe(1);
    calls.length = 0;
    const patch = { patches: new Map([[1, { m: 1 }]]), patchCondition: compare('n', 'gt', 0) };
    expect((await writeRows(ours, patch)).patched).toBe(1);
    expect(calls).toEqual([`create ${entry(4)}`, `get ${entry(4)}`, `create ${entry(5)}`]);
    expect(await readDocuments(ours)).toEqual(new Map([[1, { n: 3, m: 1 }]]));
    calls.length = 0;
    expect((await writeRows(ours, increment(7))).patched).toBe(0);
    expect(calls).toEqual([`get ${entry(6)}`]); // nothing is committed, so the head is looked for
  });

  test('the parts of a group of small writes are one block of rows and one of deletes', async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[0, 'zero']] });
    ingester.store.hold('before');
    const blocking = ingester.write({ rows: [[1, 'one']] });
    const writes = [
      ingester.write({ rows: [[2, 'two']] }),
      ingester.write({ deletes: [0, 2] }),
      ingester.write({ rows: [[2, 'zwei']] }),
    ];
    ingester.store.release();
    await Promise.all([blocking, ...writes]);
    const base = { ...ingester, random: createSeededRandom(3), log: silentLog, metrics: noMetrics };
    const { events } = await createNamespaceLog(base).open('words');
    expect(events.map((event) => (event.kind === 'batch' ? event.parts.length : 0))).toEqual([1, 1, 2]);
    expect(liveIds(events)).toEqual([1, 2]);
  });

  test('64 writers at 100 ms per PUT commit more than 300 writes per second', async () => {
    const clock = createTestClock();
    const inner = createMemoryStore({ clock });
    let entryCount = 0;
    const store: ObjectStore = {
      ...inner,
      create: async (key, bytes, signal) => {
        clock.advance(100);
        if (key.includes('/log/')) entryCount++;
        return await inner.create(key, bytes, signal);
      },
    };
    const ingester = createTestIngester({ store, clock });
    await ingester.write({ rows: [[0, 'x']] });
    entryCount = 0;
    const startMs = clock.monotonicMs();
    const writer = async (index: number): Promise<void> => {
      for (let round = 0; round < 20; round++) await ingester.write({ rows: [[index * 100 + round, 'x']] });
    };
    await Promise.all(Array.from({ length: 64 }, (_, index) => writer(index)));
    const perSecond = (64 * 20 * 1000) / (clock.monotonicMs() - startMs);
    expect(perSecond).toBeGreaterThan(300);
    expect(entryCount).toBeLessThanOrEqual(42);
  });
});
