import { describe, expect, test } from '@jest/globals';
import { createTestIngester } from './testing.ts';

describe('warm writers', () => {
  test('past their bound the one that was idle longest goes, its dirty marker is written, and it comes back on demand', async () => {
    const ingester = createTestIngester({ config: { writerCountMax: 2 } });
    await ingester.write({ namespace: 'a', rows: [[1, 'x']] });
    await ingester.write({ namespace: 'b', rows: [[1, 'x']] });
    await ingester.write({ namespace: 'c', rows: [[1, 'x']] });
    await new Promise((resolve) => setImmediate(resolve));
    const { objects } = await ingester.store.list({ prefix: 'dirty/' });
    expect(objects.map(({ key }) => key)).toEqual(['dirty/a/00000000000000000001']);
    expect((await ingester.write({ namespace: 'a', rows: [[2, 'x']] })).generation).toBe(2);
  });

  test('where all are at work another namespace is refused for a while', async () => {
    const ingester = createTestIngester({ config: { writerCountMax: 1 } });
    ingester.store.hold('before');
    const first = ingester.write({ namespace: 'a', rows: [[1, 'x']] });
    await expect(ingester.write({ namespace: 'b', rows: [[1, 'x']] })).rejects.toMatchObject({
      code: 'resource_exhausted',
    });
    ingester.store.release();
    await first;
    expect((await ingester.write({ namespace: 'b', rows: [[1, 'x']] })).generation).toBe(1);
  });

  test('a name that no namespace may have is refused', async () => {
    const ingester = createTestIngester();
    await expect(ingester.write({ namespace: 'a/b', rows: [[1, 'x']] })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });
});
