import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LagoonError, sha256 } from '@lagoon/base';
import { createFrom } from '../byte-source.ts';
import { compareKeys } from '../keys.ts';
import {
  type ByteSource,
  type CreateResult,
  keyBytesMax,
  type ListedObject,
  type ObjectStore,
} from '../object-store.ts';

export interface ContractOptions {
  /** Keys that this kind of store may refuse with `invalid_argument`, never store under another name. Default none. */
  readonly mayRefuse?: (key: string) => boolean;
  /** Whether a key below another key (`a` and `a/b`) is listed. Lagoon makes no such keys; MinIO keeps but hides them. Default true. */
  readonly nestedKeys?: boolean;
}

/**
 * The contract of `ObjectStore` as tests. `open` gives a connection to a space of keys: the same name is the same space, a new name is
 * an empty one. Connections are closed here.
 */
export function describeObjectStoreContract(
  name: string,
  open: (space: string) => Promise<ObjectStore>,
  options: ContractOptions = {},
): void {
  describe(`object store contract: ${name}`, () => {
    let spaceCount = 0;
    let space: string;
    let store: ObjectStore;
    const opened: ObjectStore[] = [];
    const connect = async (): Promise<ObjectStore> => {
      const connection = await open(space);
      opened.push(connection);
      return connection;
    };

    beforeEach(async () => {
      space = `space-${spaceCount++}`;
      store = await connect();
    });
    afterEach(async () => {
      for (const connection of opened.splice(0)) await connection.close();
    });

    test('an object reads back as it was written, with its size; an absent one is undefined', async () => {
      await store.put('folder/object', bytesOf('hello'));
      expect(await textAt(store, 'folder/object')).toBe('hello');
      expect((await store.get('folder/object'))?.objectSize).toBe(5);
      expect(await store.get('folder/other')).toBeUndefined();
      expect(await store.get('folder')).toBeUndefined();
      expect(await store.get('folder/object/below')).toBeUndefined();
    });

    test('an empty object exists', async () => {
      expect((await store.create('empty', new Uint8Array(0))).outcome).toBe('created');
      const object = await store.get('empty');
      expect([object?.bytes.byteLength, object?.objectSize]).toEqual([0, 0]);
      expect((await store.list({ prefix: '' })).objects).toMatchObject([{ key: 'empty', size: 0 }]);
      for (const range of [{ start: 0, end: 10 }, { start: 5, end: 6 }, { suffix: 3 }]) {
        expect((await store.get('empty', { range }))?.bytes.byteLength).toBe(0);
      }
    });

    test('put replaces, also by something shorter', async () => {
      await store.put('key', bytesOf('a long value'));
      await store.put('key', bytesOf('short'));
      expect(await textAt(store, 'key')).toBe('short');
    });

    test('create tells the first from the others and leaves the object alone', async () => {
      expect((await store.create('key', bytesOf('first'))).outcome).toBe('created');
      expect((await store.create('key', bytesOf('second'))).outcome).toBe('exists');
      await store.put('key', bytesOf('third'));
      expect((await store.create('key', bytesOf('fourth'))).outcome).toBe('exists');
      expect(await textAt(store, 'key')).toBe('third');
      await store.delete(['key']);
      expect((await store.create('key', bytesOf('fifth'))).outcome).toBe('created');
    });

    test('of many racing creators on several connections exactly one wins, and its bytes stay', async () => {
      const connections = [store, await connect(), await connect(), await connect()];
      for (let round = 0; round < 10; round++) {
        const key = `race/${round}`;
        const race = Array.from({ length: 32 }, (_, creator) => {
          const connection = connections[creator % connections.length] as ObjectStore;
          return connection.create(key, bytesOf(`creator ${creator}`));
        });
        const results = await Promise.all(race);
        const winner = await textAt(store, key);
        const created = results.flatMap((result, creator) => (result.outcome === 'created' ? [creator] : []));
        // An unclear answer is allowed to be the winner's, so the object itself has the last word.
        if (created.length === 0) expect(outcomeOfText(results, winner)).toBe('unknown');
        else expect(created.map((creator) => `creator ${creator}`)).toEqual([winner]);
      }
    });

    test('an object created from a source is its bytes, and there is one winner', async () => {
      const bytes = Uint8Array.from({ length: (9 << 20) + 77 }, (_, index) => (index * 31) ^ (index >>> 8));
      const source = (from: Uint8Array): ByteSource => ({
        byteLength: from.byteLength,
        sha256: sha256(from),
        read: async (start, end) => from.slice(start, end),
      });
      expect((await createFrom(store, 'large', source(bytes))).outcome).toBe('created');
      expect((await createFrom(await connect(), 'large', source(bytes.slice(1)))).outcome).toBe('exists');
      expect((await createFrom(store, 'small', source(bytesOf('few')))).outcome).toBe('created');
      const large = await store.get('large');
      expect(Buffer.compare(large?.bytes ?? new Uint8Array(0), bytes)).toBe(0);
      expect(await textAt(store, 'small')).toBe('few');
    });

    test('a source that fails is no object', async () => {
      const failing: ByteSource = {
        byteLength: 20 << 20,
        sha256: new Uint8Array(32),
        read: async (start, end) => {
          if (start > 3 << 20 || end === 20 << 20) throw new LagoonError('resource_exhausted', 'scratch is gone');
          return new Uint8Array(end - start);
        },
      };
      await createFrom(store, 'failed', failing).catch(() => {});
      expect(await store.get('failed')).toBeUndefined();
      expect((await store.list({ prefix: '' })).objects).toEqual([]);
    });

    test('ranges are half-open, cut at the end of the object, and empty past it', async () => {
      await store.put('key', bytesOf('0123456789'));
      const read = async (range: { start: number; end: number } | { suffix: number }) => {
        const object = await store.get('key', { range });
        expect(object?.objectSize).toBe(10);
        return text(object?.bytes);
      };
      expect(await read({ start: 0, end: 10 })).toBe('0123456789');
      expect(await read({ start: 2, end: 5 })).toBe('234');
      expect(await read({ start: 7, end: 1000 })).toBe('789');
      expect(await read({ start: 10, end: 11 })).toBe('');
      expect(await read({ start: 1000, end: 2000 })).toBe('');
      expect(await read({ start: 4, end: 4 })).toBe('');
      expect(await read({ suffix: 3 })).toBe('789');
      expect(await read({ suffix: 1000 })).toBe('0123456789');
      expect(await read({ suffix: 0 })).toBe('');
      expect(await store.get('absent', { range: { start: 0, end: 1 } })).toBeUndefined();
      expect(await store.get('absent', { range: { suffix: 1 } })).toBeUndefined();
    });

    test('ranges of a large object are the bytes at their place', async () => {
      const bytes = Uint8Array.from({ length: 5_000_003 }, (_, i) => (i * 31) ^ (i >> 8));
      await store.put('large', bytes);
      expect(Buffer.compare((await store.get('large'))?.bytes ?? bytesOf(''), bytes)).toBe(0);
      const range = { start: 1_234_567, end: 4_000_001 };
      const part = (await store.get('large', { range }))?.bytes ?? bytesOf('');
      expect(Buffer.compare(part, bytes.subarray(range.start, range.end))).toBe(0);
    });

    test('a range that is no range is invalid_argument', async () => {
      await store.put('key', bytesOf('0123456789'));
      const wrong = [
        { start: 3, end: 2 },
        { start: -1, end: 2 },
        { start: 0.5, end: 2 },
        { suffix: -1 },
        { suffix: Number.NaN },
      ];
      for (const range of wrong) {
        await expect(store.get('key', { range })).rejects.toMatchObject({ code: 'invalid_argument' });
      }
    });

    test('every connection reads and lists what another one has written', async () => {
      const other = await connect();
      for (let version = 0; version < 20; version++) {
        await store.put('key', bytesOf(`version ${version}`));
        expect(await textAt(other, 'key')).toBe(`version ${version}`);
        await store.create(`list/${String(version).padStart(4, '0')}`, bytesOf('x'));
        expect((await other.list({ prefix: 'list/' })).objects).toHaveLength(version + 1);
      }
      await store.delete(['key', 'list/0000']);
      expect(await other.get('key')).toBeUndefined();
      expect((await other.list({ prefix: '' })).objects).toHaveLength(19);
    });

    test('a read among overwrites is one whole version', async () => {
      const size = 300_000;
      const versionOf = (version: number) => new Uint8Array(size + version).fill(version);
      await store.put('key', versionOf(0));
      let writing = true;
      const writer = (async () => {
        for (let version = 1; version < 30; version++) await store.put('key', versionOf(version));
        writing = false;
      })();
      const reader = await connect();
      while (writing) {
        const bytes = (await reader.get('key'))?.bytes ?? bytesOf('');
        expect(bytes.byteLength - size).toBe(bytes[0]);
        expect(bytes.every((byte) => byte === bytes[0])).toBe(true);
      }
      await writer;
    });

    test('a list has the keys of its prefix in the order of their bytes, a page at a time', async () => {
      const keys = Array.from({ length: 1_050 }, (_, i) => `many/${i % 7}/${String((i * 7919) % 100_000)}`);
      for (let start = 0; start < keys.length; start += 64) {
        await Promise.all(keys.slice(start, start + 64).map((key) => store.put(key, bytesOf(key))));
      }
      await store.put('man', bytesOf('outside'));
      await store.put('manz', bytesOf('outside'));
      const expected = [...new Set(keys)].sort(compareKeys);

      const first = await store.list({ prefix: 'many/' });
      expect(first.objects).toHaveLength(1000);
      expect(first.truncated).toBe(true);
      expect(keysOf(await listAll(store, 'many/'))).toEqual(expected);
      expect(keysOf(await listAll(store, 'many/', 97))).toEqual(expected);
      expect(keysOf(await listAll(store, 'many/3/1'))).toEqual(expected.filter((key) => key.startsWith('many/3/1')));
      expect(first.objects[3]?.size).toBe(expected[3]?.length);
      for (const end of [1, 999, 1000, 1049]) {
        const page = await store.list({ prefix: 'many/', startAfter: expected[end] as string, limit: 3 });
        expect(keysOf(page.objects)).toEqual(expected.slice(end + 1, end + 4));
        expect(page.truncated).toBe(end + 4 < expected.length);
      }
      // Also after a key that is not there.
      const page = await store.list({ prefix: 'many/', startAfter: 'many/5/', limit: 1 });
      expect(keysOf(page.objects)).toEqual(expected.filter((key) => key > 'many/5/').slice(0, 1));
      expect((await store.list({ prefix: 'none/' })).objects).toEqual([]);

      await store.delete(expected); // above the bound of one request
      expect(keysOf(await listAll(store, ''))).toEqual(['man', 'manz']);
    });

    test('a page size out of bounds is invalid_argument', async () => {
      for (const limit of [0, -1, 1001, 1.5]) {
        await expect(store.list({ prefix: '', limit })).rejects.toMatchObject({ code: 'invalid_argument' });
      }
    });

    test('odd keys are kept apart and listed as they are, or refused', async () => {
      const longest = Array.from({ length: 8 }, (_, i) => String(i).repeat(127)).join('/');
      const keys = [
        ...[
          '.',
          '..',
          'a/../b',
          'a/./b',
          './a',
          '%',
          '%2e',
          '%e',
          'a%2Fb',
          '.tmp',
          '.tmp/x',
          'x.obj',
          'x.obj/y',
          'x.obj.obj',
        ],
        ...[
          'Upper',
          'upper',
          'UPPER',
          'ÜBER',
          'über',
          'u\u0308ber',
          'ﬀ',
          '😀',
          '中文/キー',
          'sp ace',
          'plus+and&<>"\'=?#',
        ],
        ...[
          'a//b',
          '/a',
          'trailing/',
          longest,
          'L'.repeat(keyBytesMax),
          'l'.repeat(300),
          `${'l'.repeat(80)}/x`,
          `${'l'.repeat(80)}!`,
        ],
        ...[
          'l'.repeat(79),
          'l'.repeat(80),
          'l'.repeat(81),
          `${'é'.repeat(45)}!`,
          `${'é'.repeat(45)}~`,
          '\\back\\slash',
          'c:colon',
        ],
      ];
      const kept: string[] = [];
      for (const key of keys) {
        if (options.nestedKeys === false && isNested(key, keys)) continue;
        const outcome = await store.create(key, bytesOf(key)).then(
          (result) => result.outcome,
          (error: { code?: string }) => error.code,
        );
        if (options.mayRefuse?.(key) && outcome === 'invalid_argument') continue;
        expect([key, outcome]).toEqual([key, 'created']);
        kept.push(key);
      }
      for (const key of kept) expect(await textAt(store, key)).toBe(key);
      const expected = [...kept].sort(compareKeys);
      expect(keysOf(await listAll(store, ''))).toEqual(expected);
      expect(keysOf(await listAll(store, '', 1))).toEqual(expected);
      for (const prefix of [
        'l',
        'l'.repeat(80),
        'l'.repeat(85),
        `${'l'.repeat(80)}/`,
        'x.obj',
        'x.obj/',
        'u',
        'é',
        '😀',
      ]) {
        expect(keysOf(await listAll(store, prefix))).toEqual(expected.filter((key) => key.startsWith(prefix)));
      }
      await store.delete(kept);
      expect(await listAll(store, '')).toEqual([]);
    });

    if (options.nestedKeys !== false) {
      test('a key can be the folder of another', async () => {
        for (const key of ['a/b/c', 'a', 'a/b', 'a-', 'a.']) await store.put(key, bytesOf(key));
        expect(keysOf(await listAll(store, ''))).toEqual(['a', 'a-', 'a.', 'a/b', 'a/b/c']);
        await store.delete(['a/b']);
        expect(await textAt(store, 'a/b/c')).toBe('a/b/c');
        expect(await textAt(store, 'a')).toBe('a');
      });
    }

    test('a key that no store takes is invalid_argument for every verb', async () => {
      const wrong = [
        '',
        'x'.repeat(keyBytesMax + 1),
        'ü'.repeat(keyBytesMax / 2 + 1),
        'lone \ud800',
        'nul \u0000',
        'bell \u0007',
      ];
      for (const key of wrong) {
        const calls = [() => store.get(key), () => store.put(key, bytesOf('')), () => store.create(key, bytesOf(''))];
        for (const call of [...calls, () => store.delete([key])]) {
          await expect(call()).rejects.toMatchObject({ code: 'invalid_argument' });
        }
      }
    });

    test('deleting what is absent, twice or nothing is no error', async () => {
      await store.put('a', bytesOf('a'));
      await store.delete([]);
      await store.delete(['absent', 'a', 'folder/absent', 'a']);
      await store.delete(['a']);
      expect(await store.get('a')).toBeUndefined();
    });

    test('the caller owns the bytes it gave and got', async () => {
      const given = bytesOf('given');
      await store.put('key', given);
      given.fill(0);
      const got = await store.get('key');
      expect(text(got?.bytes)).toBe('given');
      got?.bytes.fill(0);
      expect(await textAt(store, 'key')).toBe('given');
      // A view into a larger buffer is written as that view.
      await store.put('key', bytesOf('0123456789').subarray(3, 6));
      expect(await textAt(store, 'key')).toBe('345');
    });

    test('an aborted signal rejects with its reason and nothing is applied', async () => {
      const reason = new Error('the caller went away');
      const signal = AbortSignal.abort(reason);
      const calls = [
        () => store.get('key', {}, signal),
        () => store.put('key', bytesOf('x'), signal),
        () => store.create('key', bytesOf('x'), signal),
        () => store.list({ prefix: '' }, signal),
        () => store.delete(['key'], signal),
      ];
      for (const call of calls) await expect(call()).rejects.toBe(reason);
      expect(await store.get('key')).toBeUndefined();
    });

    test('an abort under way either rejects with the reason or comes too late', async () => {
      const reason = new Error('the caller went away');
      const large = new Uint8Array(2_000_000);
      await store.put('large', large);
      const calls: Array<(signal: AbortSignal) => Promise<unknown>> = [
        (signal) => store.put('other', large, signal),
        (signal) => store.get('large', {}, signal),
        (signal) => store.create('created', large, signal),
      ];
      for (const call of calls) {
        const controller = new AbortController();
        const running = call(controller.signal);
        controller.abort(reason);
        const failure = await running.then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure !== undefined) expect(failure).toBe(reason);
      }
      expect((await store.get('large'))?.objectSize).toBe(large.byteLength);
    });

    test('answers carry the time of the store, also for an absent key', async () => {
      const before = await stampOfGet(store, 'absent');
      const stamps = [
        await store.put('key', bytesOf('x')),
        await store.create('key', bytesOf('x')),
        await store.list({ prefix: '' }),
        await store.delete(['key']),
        { storeTimeMs: await stampOfGet(store, 'absent') },
      ];
      let last = before;
      for (const { storeTimeMs = 0 } of stamps) {
        expect(storeTimeMs).toBeGreaterThanOrEqual(last - 10); // a file system's clock ticks some milliseconds late
        last = Math.max(last, storeTimeMs);
      }
      expect(last - before).toBeLessThan(60_000);
    });

    test('listings carry times of the same clock', async () => {
      const { storeTimeMs = 0 } = await store.put('key', bytesOf('x'));
      const page = await store.list({ prefix: 'key' });
      expect(Math.abs((page.objects[0]?.lastModifiedMs ?? 0) - storeTimeMs)).toBeLessThan(5_000);
    });
  });
}

function bytesOf(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

async function textAt(store: ObjectStore, key: string): Promise<string | undefined> {
  return text((await store.get(key))?.bytes);
}

function isNested(key: string, keys: readonly string[]): boolean {
  return keys.some((other) => key.startsWith(`${other}/`));
}

function keysOf(objects: readonly ListedObject[]): string[] {
  return objects.map((object) => object.key);
}

function outcomeOfText(results: readonly CreateResult[], winner: string | undefined): string | undefined {
  return results.find((_, creator) => `creator ${creator}` === winner)?.outcome;
}

async function stampOfGet(store: ObjectStore, key: string): Promise<number> {
  let time: number | undefined;
  await store.get(key, {
    onStamp: (stamp) => {
      time = stamp.storeTimeMs;
    },
  });
  expect(time).toBeDefined();
  return time ?? 0;
}

async function listAll(store: ObjectStore, prefix: string, limit = 1000): Promise<ListedObject[]> {
  const objects: ListedObject[] = [];
  for (;;) {
    const last = objects.at(-1)?.key;
    const page = await store.list({ prefix, limit, ...(last === undefined ? {} : { startAfter: last }) });
    objects.push(...page.objects);
    if (!page.truncated) return objects;
  }
}
