import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createNamespaceLog } from '@lagoon/namespace';
import { createTestIngester, liveIds, type TestIngester } from './testing.ts';

async function idsOf(ingester: TestIngester, namespace = 'words'): Promise<number[]> {
  const { store, clock } = ingester;
  const random = createSeededRandom(99);
  const log = createNamespaceLog({ store, clock, random, log: silentLog, metrics: noMetrics });
  return liveIds((await log.open(namespace)).events);
}

describe('groups', () => {
  test('64 concurrent writers cost two entries: the first goes at once, the rest gather behind it', async () => {
    const ingester = createTestIngester();
    const ids = Array.from({ length: 64 }, (_, index) => index);
    const answers = await Promise.all(ids.map((id) => ingester.write({ rows: [[id, `row ${id}`]] })));
    expect(ingester.store.entryCreateCount).toBe(2);
    expect(answers.map((answer) => answer.generation)).toEqual(ids.map((id) => (id === 0 ? 1 : 2)));
    expect(answers.every((answer) => answer.rowsUpserted === 1)).toBe(true);
    expect(await idsOf(ingester)).toEqual(ids);
  });

  test('a group closes at its bounds of count', async () => {
    const ingester = createTestIngester({ config: { groupWriteCountMax: 10 } });
    await Promise.all(Array.from({ length: 31 }, (_, id) => ingester.write({ rows: [[id, 'x']] })));
    expect(ingester.store.entryCreateCount).toBe(4);
  });

  test('a write that fails, fails alone', async () => {
    const ingester = createTestIngester();
    await ingester.write({ rows: [[1, 'one']] });
    const results = await Promise.allSettled([
      ingester.write({ rows: [[2, 'two']] }),
      ingester.write({ rows: [[3, 'three']] }),
      ingester.write({ rows: [[4, 44]] }),
      ingester.write({ rows: [[5, 'five']] }),
    ]);
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(results[2]).toMatchObject({ reason: { code: 'invalid_argument' } });
    expect(await idsOf(ingester)).toEqual([1, 2, 3, 5]);
  });

  test('writes see the schema of those before them in the group', async () => {
    const ingester = createTestIngester();
    ingester.store.hold('before');
    const first = ingester.write({ namespace: 'a', rows: [[1, 'one']] });
    const second = ingester.write({ namespace: 'a', rows: [[2, 'two']] });
    const third = ingester.write({ namespace: 'a', rows: [[3, 3]] });
    ingester.store.release();
    await Promise.all([first, second]);
    await expect(third).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('close answers what is queued and takes nothing more', async () => {
    const ingester = createTestIngester();
    const writes = Array.from({ length: 5 }, (_, id) => ingester.write({ rows: [[id, 'x']] }));
    await ingester.role.close();
    expect((await Promise.all(writes)).length).toBe(5);
    await expect(ingester.write({ rows: [[9, 'x']] })).rejects.toMatchObject({ code: 'unavailable' });
  });
});
