import { expect, test } from '@jest/globals';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { compare, writeRows } from './row-testing.ts';
import { createTestClock, createTestIngester } from './testing.ts';

const conditional = (n: number, key?: string) => ({
  upserts: new Map([[1, { n }]]),
  upsertCondition: compare('n', 'lt', n),
  ...(key === undefined ? {} : { key }),
});

test('an ingester that stops waits for a write whose rows are still read, and answers it', async () => {
  const clock = createTestClock();
  const inner = createMemoryStore({ clock });
  await writeRows(createTestIngester({ store: inner, clock }), { upserts: new Map([[1, { n: 1 }]]) });
  const gate = Promise.withResolvers<void>();
  const store: ObjectStore = {
    ...inner,
    get: async (key, options, signal) => {
      await gate.promise;
      return inner.get(key, options, signal);
    },
  };
  const { role } = createTestIngester({ store, clock, seed: 2 });
  const ingester = { ...createTestIngester({ store, clock, seed: 2 }), role };
  const written = writeRows(ingester, conditional(2));
  let isClosed = false;
  const closed = role.close().then(() => {
    isClosed = true;
  });
  for (let turn = 0; turn < 10; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
  expect(isClosed).toBe(false);
  gate.resolve();
  expect(await written).toMatchObject({ upserted: 1 });
  await closed;
});

test('a retry under a key is answered with what was kept, also where its rows cannot be held any more', async () => {
  const clock = createTestClock();
  const store = createMemoryStore({ clock });
  const first = createTestIngester({ store, clock });
  await writeRows(first, { upserts: new Map([[1, { n: 1 }]]) });
  const answer = await writeRows(first, conditional(2, 'k'));
  const second = createTestIngester({ store, clock, seed: 2, config: { rowsBytesMax: 1 } });
  expect(await writeRows(second, conditional(2, 'k'))).toEqual(answer);
  await expect(writeRows(second, conditional(3, 'l'))).rejects.toMatchObject({ reason: 'too_large' });
});
