import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createSeededRandom, LagoonError } from '@lagoon/base';
import fc from 'fast-check';
import { openDiskCache, type ReadBytes } from './disk-cache.ts';

const page = 4096;

function bytesOf(size: number, seed = 1): Uint8Array {
  return createSeededRandom(seed).fill(new Uint8Array(size));
}

/** An object of a store that counts what is read of it. */
function stored(key: string, bytes: Uint8Array) {
  const reads: (readonly [number, number])[] = [];
  const read: ReadBytes = async (start, end) => {
    reads.push([start, end]);
    return bytes.slice(start, end);
  };
  return { object: { key, size: bytes.length }, bytes, reads, read };
}

describe('disk cache', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lagoon-disk-cache-'));
  });

  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const open = (options: { readonly bytesMax?: number; readonly openObjectCountMax?: number } = {}) =>
    openDiskCache({}, { folder, bytesMax: 1 << 30, ...options });
  const fileOf = async (suffix: string) => {
    const names = (await readdir(folder)).filter((name) => name.endsWith(suffix));
    expect(names).toHaveLength(1);
    return join(folder, names[0] as string);
  };

  test('any ranges, over any restarts, are the bytes of the object', async () => {
    const source = stored('data/a', bytesOf(7 * page + 123));
    const { size } = source.object;
    const range = fc.tuple(fc.nat(size), fc.nat(size)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(range, fc.constant(undefined)), { maxLength: 12 }), async (steps) => {
        let cache = await open();
        for (const step of steps) {
          if (step === undefined) {
            await cache.close();
            cache = await open();
            continue;
          }
          const [start, end] = step;
          expect(await cache.reader(source.object, source.read)(start, end)).toEqual(source.bytes.slice(start, end));
        }
        await cache.close();
      }),
      { numRuns: 20 },
    );
  });

  test('what was read once is not asked for again, also by the next process', async () => {
    const source = stored('data/a', bytesOf(20 * page));
    const first = await open();
    await first.reader(source.object, source.read)(page + 1, 9 * page - 1);
    expect(source.reads).toEqual([[page, 9 * page]]);
    await first.close();
    const second = await open();
    const read = second.reader(source.object, source.read);
    expect(await read(2 * page - 7, 2 * page + 7)).toEqual(source.bytes.slice(2 * page - 7, 2 * page + 7));
    expect(source.reads).toHaveLength(1);
    expect(second.statistics).toMatchObject({ hitCount: 1, missCount: 0 });
    await read(0, 20 * page);
    expect(source.reads.slice(1)).toEqual([
      [0, page],
      [9 * page, 20 * page],
    ]);
    await second.close();
  });

  test('near gaps are one request, many gaps too', async () => {
    const source = stored('data/a', bytesOf(100 * page));
    const cache = await open();
    const read = cache.reader(source.object, source.read);
    await read(2 * page, 3 * page);
    await read(5 * page, 6 * page);
    source.reads.length = 0;
    await read(0, 8 * page);
    expect(source.reads).toEqual([[0, 8 * page]]);
    for (let at = 20; at < 100; at += 8) await read(at * page, (at + 6) * page);
    source.reads.length = 0;
    await read(20 * page, 100 * page);
    expect(source.reads.length).toBeLessThanOrEqual(8);
    await cache.close();
  });

  test('a flipped bit is seen, the pages are read again and kept', async () => {
    const source = stored('data/a', bytesOf(4 * page));
    const cache = await open();
    await cache.reader(source.object, source.read)(0, 4 * page);
    await cache.close();
    const file = await fileOf('.data');
    const bytes = await readFile(file);
    bytes[page + 17] = (bytes[page + 17] as number) ^ 4;
    await writeFile(file, bytes);
    source.reads.length = 0;
    const next = await open();
    expect(await next.reader(source.object, source.read)(0, 4 * page)).toEqual(source.bytes);
    expect(source.reads).toEqual([[page, 2 * page]]);
    expect(next.statistics.damagedCount).toBe(1);
    await next.close();
    const last = await open();
    await last.reader(source.object, source.read)(0, 4 * page);
    expect(source.reads).toHaveLength(1);
    await last.close();
  });

  test('files that were cut anywhere give no wrong byte', async () => {
    const source = stored('data/a', bytesOf(3 * page));
    for (const suffix of ['.data', '.index']) {
      const first = await open();
      await first.reader(source.object, source.read)(0, 3 * page);
      await first.close();
      const { size } = await stat(await fileOf(suffix));
      for (let length = size - 1; length >= 0; length -= suffix === '.index' ? 7 : 3777) {
        await truncate(await fileOf(suffix), length);
        const cache = await open();
        expect(await cache.reader(source.object, source.read)(0, 3 * page)).toEqual(source.bytes);
        await cache.close();
      }
    }
  });

  test('stays within its bytes: the object that was used longest ago goes', async () => {
    const cache = await open({ bytesMax: 8 * page });
    const sources = ['data/a', 'data/b', 'data/c'].map((key, i) => stored(key, bytesOf(3 * page, i)));
    const [a, b, c] = sources as [(typeof sources)[0], (typeof sources)[0], (typeof sources)[0]];
    const readAll = async ({ object, read, bytes }: typeof a) => {
      expect(await cache.reader(object, read)(0, object.size)).toEqual(bytes);
    };
    /** Pages are written behind the answer. */
    const until = async (done: () => boolean) => {
      while (!done()) await new Promise((resolve) => setImmediate(resolve));
    };
    await readAll(a);
    await until(() => cache.statistics.bytes === 3 * page);
    await readAll(b);
    await until(() => cache.statistics.bytes === 6 * page);
    await readAll(a);
    await readAll(c);
    await until(() => cache.statistics.evictionCount === 1);
    expect(cache.statistics).toMatchObject({ evictionCount: 1, bytes: 6 * page });
    await readAll(a);
    expect(a.reads).toHaveLength(1);
    await readAll(b);
    expect(b.reads).toHaveLength(2);
    await cache.close();
  });

  test('more objects than files may be open', async () => {
    const cache = await open({ openObjectCountMax: 2 });
    const sources = Array.from({ length: 6 }, (_, i) => stored(`data/${i}`, bytesOf(page, i)));
    for (let round = 0; round < 2; round++) {
      for (const { object, read, bytes } of sources) expect(await cache.reader(object, read)(0, page)).toEqual(bytes);
    }
    for (const { reads } of sources) expect(reads).toHaveLength(1);
    await cache.close();
  });

  test('a purge forgets the objects that are meant, of earlier processes too', async () => {
    const first = await open();
    const sources = ['data/x/1', 'data/y/1'].map((key) => stored(key, bytesOf(page)));
    for (const { object, read } of sources) await first.reader(object, read)(0, page);
    await first.close();
    const cache = await open();
    await cache.purge((key) => key === 'data/x/1');
    for (const { object, read } of sources) await cache.reader(object, read)(0, page);
    expect(sources.map(({ reads }) => reads.length)).toEqual([2, 1]);
    await cache.close();
  });

  test('a disk that fails costs requests, no answers', async () => {
    const source = stored('data/a', bytesOf(3 * page));
    const cache = await open();
    await rm(folder, { recursive: true });
    await writeFile(folder, 'no folder');
    expect(await cache.reader(source.object, source.read)(0, 3 * page)).toEqual(source.bytes);
    expect(await cache.reader(source.object, source.read)(0, 3 * page)).toEqual(source.bytes);
    expect(cache.statistics.failureCount).toBeGreaterThan(0);
    await cache.close();
  });

  test('a failure of the store is the caller’s, and keeps nothing', async () => {
    const source = stored('data/a', bytesOf(3 * page));
    const cache = await open();
    const failing: ReadBytes = async () => {
      throw new LagoonError('unavailable', 'store is down');
    };
    await expect(cache.reader(source.object, failing)(0, page)).rejects.toThrow('store is down');
    expect(await cache.reader(source.object, source.read)(0, page)).toEqual(source.bytes.slice(0, page));
    expect(source.reads).toHaveLength(1);
    await cache.close();
  });

  test('foreign files are left alone, pages without an index are removed', async () => {
    await writeFile(join(folder, 'notes.txt'), 'mine');
    await writeFile(join(folder, `${'0'.repeat(40)}.data`), 'left over');
    const cache = await open();
    expect(await readdir(folder)).toEqual(['notes.txt']);
    await cache.close();
  });
});
