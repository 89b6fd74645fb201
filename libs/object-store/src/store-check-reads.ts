import { equalBytes, mapBounded, utf8Encode } from '@lagoon/base';
import { compareKeys, resolveRange } from './keys.ts';
import type { ByteRange, ObjectStore } from './object-store.ts';
import { type CheckSpace, expectText, fail } from './store-check-expect.ts';

const writeConcurrencyMax = 32;

/** Overwrites and deletes a key many times; every connection must see each state at once. */
export async function checkReads({ stores, prefix, sizes, signal }: CheckSpace): Promise<string> {
  const key = `${prefix}key`;
  for (let version = 0; version < sizes.versionCount; version++) {
    const writer = stores[version % stores.length] ?? stores[0];
    await writer.put(key, utf8Encode(`version ${version}`), signal);
    await expectText(stores, key, `version ${version}`, signal);
    if (version % 3 !== 2) continue;
    await writer.delete([key], signal);
    await expectText(stores, key, undefined, signal);
  }
  await stores[0].put(`${prefix}empty`, new Uint8Array(0), signal);
  await expectText(stores, `${prefix}empty`, '', signal);
  return `${sizes.versionCount} versions and an empty object over ${stores.length} connections`;
}

/** Reads while a large object is overwritten: never a mix of versions, never a part. */
export async function checkWholeness({ stores, prefix, sizes, signal }: CheckSpace): Promise<string> {
  const key = `${prefix}key`;
  const versionOf = (version: number) => new Uint8Array(sizes.largeBytes + version).fill(version);
  await stores[0].put(key, versionOf(0), signal);
  let writing = true;
  let readCount = 0;
  const write = async (): Promise<void> => {
    try {
      for (let version = 1; version < sizes.versionCount; version++)
        await stores[0].put(key, versionOf(version), signal);
    } finally {
      writing = false;
    }
  };
  const read = async (store: ObjectStore): Promise<void> => {
    do {
      const object = await store.get(key, {}, signal);
      readCount++;
      if (object === undefined) fail('an object was absent while it was overwritten');
      const version = object.bytes[0] ?? 0;
      if (!equalBytes(object.bytes, versionOf(version))) fail('a read gave a mix of two versions, or a part of one');
    } while (writing);
  };
  const settled = await Promise.allSettled([write(), ...stores.map(read)]);
  for (const result of settled) if (result.status === 'rejected') throw result.reason;
  return `${readCount} reads during ${sizes.versionCount} overwrites of ${sizes.largeBytes} bytes`;
}

/** Ranges within, across and past the end of an object. */
export async function checkRanges({ stores, prefix, sizes, signal }: CheckSpace): Promise<string> {
  const key = `${prefix}key`;
  const size = sizes.largeBytes;
  const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31) ^ (i >> 8));
  await stores[0].put(key, bytes, signal);
  const ranges: ByteRange[] = [
    { start: 0, end: 1 },
    { start: 0, end: size },
    { start: 12_345, end: 54_321 },
    { start: size - 10, end: size + 1000 },
    { start: size, end: size + 1 },
    { start: 3 * size, end: 4 * size },
    { suffix: 17 },
    { suffix: 2 * size },
  ];
  for (const store of stores) {
    for (const range of ranges) {
      const { offset, length } = resolveRange(range, size);
      const object = await store.get(key, { range }, signal);
      const found = object?.bytes;
      if (found !== undefined && equalBytes(found, bytes.subarray(offset, offset + length))) {
        if (object?.objectSize === size) continue;
        fail(`the size of the object was given as ${object?.objectSize} instead of ${size}`);
      }
      fail(
        `the range ${JSON.stringify(range)} of ${size} bytes came back as ${found?.byteLength} bytes that are not it`,
      );
    }
    const absent = await store.get(`${prefix}absent`, { range: { start: 0, end: 1 } }, signal);
    if (absent !== undefined) fail('a range of an absent key was found');
  }
  return `${ranges.length} ranges, also past the end and of an absent key`;
}

/** Every write and delete is in the next list; pages are complete and in order. */
export async function checkLists({ stores, prefix, sizes, signal }: CheckSpace): Promise<string> {
  const one = `${prefix}one/`;
  for (let i = 0; i < sizes.versionCount; i++) {
    const writer = stores[i % stores.length] ?? stores[0];
    await writer.put(`${one}${i}`, utf8Encode('x'), signal);
    await expectListed(stores, one, [`${one}${i}`], sizes.pageSize, signal);
    await writer.delete([`${one}${i}`], signal);
    await expectListed(stores, one, [], sizes.pageSize, signal);
  }
  const many = `${prefix}many/`;
  const keys = Array.from({ length: sizes.listedCount }, (_, i) => `${many}${oddNames[i % oddNames.length]}${i}`);
  await mapBounded(keys, writeConcurrencyMax, (key) => stores[0].put(key, utf8Encode('x'), signal), signal);
  keys.sort(compareKeys);
  await expectListed(stores, many, keys, sizes.pageSize, signal);
  return `${sizes.versionCount} single keys and ${keys.length} keys in pages of ${sizes.pageSize}`;
}

const oddNames = ['a', 'B', 'b/', '-', '~', 'ü', '😀', '％', '%2f', ' ', '+', '0/0/'];

async function expectListed(
  stores: readonly ObjectStore[],
  prefix: string,
  expected: readonly string[],
  pageSize: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const store of stores) {
    const found: string[] = [];
    for (;;) {
      const last = found.at(-1);
      const after = last === undefined ? {} : { startAfter: last };
      const page = await store.list({ prefix, limit: pageSize, ...after }, signal);
      found.push(...page.objects.map((object) => object.key));
      if (!page.truncated) break;
      if (page.objects.length === 0 || found.length > expected.length) fail('pages of a list do not come to an end');
    }
    const wrong = found.findIndex((key, i) => key !== expected[i]);
    if (wrong >= 0) fail(`a list gave "${found[wrong]}" where "${expected[wrong] ?? 'nothing'}" was due`);
    if (found.length < expected.length)
      fail(`a list lacks ${expected.length - found.length} of ${expected.length} keys`);
  }
}
