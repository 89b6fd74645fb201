import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createNamespaceLog } from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
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
