import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { compareBytes, isLagoonError } from '@lagoon/base';
import {
  type AttributeType,
  type AttributeValue,
  type Block,
  createBitmap,
  encodeBlock,
  forEachBit,
  openBlock,
  orRowSets,
  parseUuid,
  type ScalarType,
  type scalarTypes,
} from '@lagoon/format';
import fc from 'fast-check';
import type { EncodedIndex } from './attribute-index.v1.ts';
import { createAttributeIndexBuilder } from './build-attribute-index.ts';
import { buildNgramIndex } from './build-ngram-index.ts';
import { decodeIndexRoot, type IndexRoot } from './index-root.v1.ts';
import { findKeyRange, findKeys, nullPostings, type PostingsRange } from './look-up.ts';
import { gramKeysOf } from './ngrams.ts';
import { valueKey } from './value-key.ts';

interface Opened {
  readonly root: IndexRoot;
  readonly rowCount: number;
  readonly reads: number[];
  keys(keys: readonly Uint8Array[]): Promise<number[]>;
  range(from: Bound, to: Bound): Promise<number[]>;
  nulls(): number[];
}

type Bound = { readonly key: Uint8Array; readonly inclusive: boolean } | undefined;

function open({ root: rootBytes, granules }: EncodedIndex, rowCount: number): Opened {
  const root = decodeIndexRoot(rootBytes, granules.granuleLengths);
  const reads: number[] = [];
  const starts = [0];
  for (const length of granules.granuleLengths) starts.push((starts.at(-1) as number) + length);
  const read = async (wanted: readonly number[]) =>
    wanted.map((granule) => {
      reads.push(granule);
      return granules.bytes.subarray(starts[granule], starts[granule + 1]);
    });
  const rowsOf = (ranges: readonly PostingsRange[]): number[] => {
    const bitmap = createBitmap(rowCount);
    for (const { from, to } of ranges) if (from < to) orRowSets(bitmap, rowCount, granules.bytes, from, to);
    const rows: number[] = [];
    forEachBit(bitmap, (row) => rows.push(row));
    return rows;
  };
  return {
    root,
    rowCount,
    reads,
    keys: async (keys) => rowsOf(await findKeys(root, keys, read)),
    range: async (from, to) => rowsOf([await findKeyRange(root, { from, to }, read)]),
    nulls: () => rowsOf([nullPostings(root)]),
  };
}

function blockOf(type: AttributeType, values: readonly AttributeValue[]): Block {
  const ids = values.map((_, i) => BigInt(i));
  return openBlock(encodeBlock({ idKind: 'u64', ids, deletes: [], columns: [{ name: 'a', type, values }] }));
}

function build(type: Exclude<AttributeType, { kind: 'vector' }>, values: readonly AttributeValue[]) {
  const builder = createAttributeIndexBuilder(type.scalar);
  builder.add(blockOf(type, values).columns.get('a')?.column, values.length);
  return builder.finish();
}

/** Values of each type that collide, with the traps of signs, 64 bits and UTF-16 order. */
const samples: Record<(typeof scalarTypes)[number], fc.Arbitrary<AttributeValue>> = {
  string: fc.oneof(
    fc.constantFrom('', 'a', 'ab', 'a\0', 'abcdefgh', 'abcdefghi', 'é', '\u{ffff}', '\u{10000}'),
    fc.string({ maxLength: 12 }),
  ),
  int: fc.oneof(fc.constantFrom(0n, 1n, -1n, 2n ** 53n, -(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-300n, 300n)),
  uint: fc.oneof(fc.constantFrom(0n, 1n, 2n ** 32n, 2n ** 64n - 1n), fc.bigInt(0n, 70_000n)),
  float: fc.oneof(
    fc.constantFrom(0, -0, 1.5, -1.5, 1e300, -1e300, 5e-324),
    fc.float({ noNaN: true, noDefaultInfinity: true }),
  ),
  uuid: fc.integer({ min: 0, max: 99 }).map((n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`),
  datetime: fc.bigInt(-5n, 1_700_000_000_000n),
  bool: fc.boolean(),
  bytes: fc.uint8Array({ maxLength: 5 }),
};
const scalars = Object.keys(samples) as (keyof typeof samples)[];

function keyOf(scalar: ScalarType, value: AttributeValue): Uint8Array {
  if (scalar === 'uuid') return parseUuid(value as string) as Uint8Array;
  if (typeof value === 'string') return Uint8Array.from(Buffer.from(value));
  if (typeof value === 'boolean') return valueKey(scalar, Number(value));
  return valueKey(scalar, value as bigint | number | Uint8Array);
}

/** As the values themselves compare. */
function compareValues(a: AttributeValue, b: AttributeValue): number {
  if (typeof a === 'string') return compareBytes(Buffer.from(a), Buffer.from(b as string));
  if (a instanceof Uint8Array) return compareBytes(a, b as Uint8Array);
  const [x, y] = [a, b] as [number, number];
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Lists long enough for several blocks come from few samples by arithmetic, not from the generator. */
const repeats = fc.constantFrom(1, 1, 60);

describe('attribute index', () => {
  test.each(scalars)('gives the rows of values, of ranges and of missing ones, %s', async (scalar) => {
    const operand = samples[scalar];
    const values = fc.array(fc.option(operand, { freq: 5, nil: null }), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        values,
        operand,
        operand,
        fc.boolean(),
        fc.boolean(),
        repeats,
        async (list, a, b, inA, inB, n) => {
          const all = Array.from({ length: n }, () => list).flat();
          const index = build({ kind: 'scalar', scalar }, all);
          if (index === undefined) throw new Error('no index');
          const opened = open(index, all.length);
          const rowsWhere = (holds: (value: AttributeValue) => boolean) =>
            all.flatMap((value, row) => (value !== null && holds(value) ? [row] : []));
          expect(opened.nulls()).toEqual(all.flatMap((value, row) => (value === null ? [row] : [])));
          expect(opened.root.nullCount).toBe(all.filter((value) => value === null).length);
          const keys = [a, b, a].map((value) => keyOf(scalar, value));
          expect(await opened.keys(keys)).toEqual(
            rowsWhere((value) => compareValues(value, a) === 0 || compareValues(value, b) === 0),
          );
          const from = { key: keyOf(scalar, a), inclusive: inA };
          const to = { key: keyOf(scalar, b), inclusive: inB };
          const isAbove = (value: AttributeValue) => compareValues(value, a) >= (inA ? 0 : 1);
          const isBelow = (value: AttributeValue) => compareValues(value, b) <= (inB ? 0 : -1);
          expect(await opened.range(from, undefined)).toEqual(rowsWhere(isAbove));
          expect(await opened.range(undefined, to)).toEqual(rowsWhere(isBelow));
          expect(await opened.range(from, to)).toEqual(rowsWhere((value) => isAbove(value) && isBelow(value)));
        },
      ),
      { numRuns: 40 },
    );
  });

  test('gives the rows of elements of arrays, each once', async () => {
    const element = fc.constantFrom('x', 'y', 'zz', '');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.array(element, { maxLength: 4 }), { nil: null }), { maxLength: 30 }),
        element,
        async (lists, wanted) => {
          const index = build({ kind: 'array', scalar: 'string' }, lists);
          if (index === undefined) throw new Error('no index');
          const rows = lists.flatMap((list, row) => (list?.includes(wanted) ? [row] : []));
          expect(await open(index, lists.length).keys([Buffer.from(wanted)])).toEqual(rows);
        },
      ),
    );
  });

  test('pieces of rows give the index of the whole', () => {
    const type = { kind: 'scalar', scalar: 'string' } as const;
    const values = Array.from({ length: 300 }, (_, i) => (i % 7 === 0 ? null : `value ${i % 40}`));
    const builder = createAttributeIndexBuilder('string');
    for (const [from, to] of [
      [0, 100],
      [100, 101],
      [101, 300],
    ] as const) {
      builder.add(blockOf(type, values.slice(from, to)).columns.get('a')?.column, to - from);
    }
    expect(builder.finish()).toEqual(build(type, values));
  });

  test('a lookup among many values reads one block of the dictionary, a range two', async () => {
    const values = Array.from({ length: 20_000 }, (_, i) => BigInt((i * 7_919) % 20_011) * 1_000n);
    const index = build({ kind: 'scalar', scalar: 'int' }, values);
    if (index === undefined) throw new Error('no index');
    const opened = open(index, values.length);
    expect(opened.root.blockCount).toBeGreaterThan(3);
    for (const row of [0, 77, 19_999]) {
      opened.reads.length = 0;
      expect(await opened.keys([valueKey('int', values[row] as bigint)])).toEqual([row]);
      expect(opened.reads).toHaveLength(1);
    }
    opened.reads.length = 0;
    const from = { key: valueKey('int', 3_000_000n), inclusive: true };
    const to = { key: valueKey('int', 9_000_000n), inclusive: false };
    const rows = values.flatMap((value, row) => (value >= 3_000_000n && value < 9_000_000n ? [row] : []));
    expect(await opened.range(from, to)).toEqual(rows);
    expect(opened.reads).toHaveLength(2);
  });

  test('distinct values take little more than the column, long texts have no index', () => {
    const count = 20_000;
    const numbers = Array.from({ length: count }, (_, i) => BigInt((i * 7_919) % 20_011));
    const index = build({ kind: 'scalar', scalar: 'int' }, numbers);
    expect(index?.granules.bytes.length).toBeLessThan(8 * count);
    expect(index?.root.length).toBeLessThan(200);
    const few = build(
      { kind: 'scalar', scalar: 'int' },
      numbers.map((value) => value % 10n),
    );
    expect(few?.granules.bytes.length).toBeLessThan(2 * count + 1_000);
    const texts = Array.from({ length: 100 }, (_, i) => `${i} ${'long '.repeat(40)}`);
    expect(build({ kind: 'scalar', scalar: 'string' }, texts)).toBeUndefined();
  });

  test('any bytes as a dictionary or root are read, or corrupt', async () => {
    const values = Array.from({ length: 9 }, (_, i) => `k${i % 5}`);
    const index = build({ kind: 'scalar', scalar: 'string' }, [...values, null]);
    if (index === undefined) throw new Error('no index');
    const tryOne = async (damaged: EncodedIndex): Promise<void> => {
      try {
        const opened = open(damaged, 10);
        await opened.keys([Buffer.from('k3'), Buffer.from('k4')]);
        await opened.range({ key: Buffer.from('k1'), inclusive: true }, undefined);
        opened.nulls();
      } catch (error) {
        if (!isLagoonError(error, 'corrupt')) throw error;
      }
    };
    for (let bit = 0; bit < 8 * index.root.length; bit++) {
      const root = index.root.slice();
      root[bit >>> 3] = (root[bit >>> 3] as number) ^ (1 << (bit & 7));
      await tryOne({ ...index, root });
    }
    for (let bit = 0; bit < 8 * index.granules.bytes.length; bit++) {
      const bytes = index.granules.bytes.slice();
      bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ (1 << (bit & 7));
      await tryOne({ ...index, granules: { ...index.granules, bytes } });
    }
    for (let size = 0; size < index.root.length; size++) {
      expect(() => decodeIndexRoot(index.root.subarray(0, size), index.granules.granuleLengths)).toThrow(
        expect.objectContaining({ code: 'corrupt' }),
      );
    }
  });

  test.each(goldenIndexes())('the golden index of %s is still written so', async (name, index) => {
    const golden = new Uint8Array(await readFile(new URL(`../golden/${name}`, import.meta.url)));
    expect(Buffer.concat([index.root, index.granules.bytes])).toEqual(Buffer.from(golden));
  });
});

describe('n-gram index', () => {
  const fragment = fc.constantFrom('ab', 'cde', 'CDE', 'ſs', 'É', 'é', 'k', 'K', 'Ma', '日本', 'x');
  const text = fc.array(fragment, { maxLength: 7 }).map((parts) => parts.join(''));

  test('gives every row whose text holds a fragment, cases folded', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.array(text, { maxLength: 2 }), { nil: null }), { maxLength: 20 }),
        text,
        async (lists, wanted) => {
          const type = { kind: 'array', scalar: 'string' } as const;
          const column = blockOf(type, lists).columns.get('a')?.column;
          const index = column === undefined ? undefined : buildNgramIndex(column, lists.length);
          const grams = gramKeysOf(wanted);
          if (index === undefined || grams.length === 0) return;
          const opened = open(index, lists.length);
          const sets = await Promise.all(grams.map((gram) => opened.keys([gram])));
          const fold = (value: string) => value.toUpperCase();
          for (const [row, list] of lists.entries()) {
            const holds = list?.some((value) => value.includes(wanted) || fold(value).includes(fold(wanted))) ?? false;
            if (holds) expect(sets.every((rows) => rows.includes(row))).toBe(true);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test('characters that differ by case only have the same grams', () => {
    for (let code = 0x41; code < 0x1_e944; code++) {
      if (code >= 0xd800 && code < 0xe000) continue;
      const character = String.fromCodePoint(code);
      for (const other of [character.toLowerCase(), character.toUpperCase()]) {
        if ([...other].length !== 1 || other === character) continue;
        const [ours, theirs] = [character, other].map((text) => gramKeysOf(`${text}__`).join());
        if (ours !== theirs) throw new Error(`${character} and ${other} have other grams`);
      }
    }
  });
});

/** Fixed values of every width. */
function goldenIndexes(): [string, EncodedIndex][] {
  const strings = Array.from({ length: 5_000 }, (_, i) => (i % 9 === 0 ? null : `key ${(i * i) % 2_003}`));
  const floats = Array.from({ length: 3_000 }, (_, i) => (i % 11 === 0 ? null : ((i % 101) - 50) / 4));
  const tags = Array.from({ length: 200 }, (_, i) => (i % 5 === 0 ? null : ['all', `t${i % 3}`, 'all']));
  const texts = blockOf({ kind: 'scalar', scalar: 'string' }, strings).columns.get('a')?.column;
  const ngrams = texts === undefined ? undefined : buildNgramIndex(texts, strings.length);
  const named: [string, EncodedIndex | undefined][] = [
    ['value-index.v1.string.bin', build({ kind: 'scalar', scalar: 'string' }, strings)],
    ['value-index.v1.float.bin', build({ kind: 'scalar', scalar: 'float' }, floats)],
    ['value-index.v1.string-array.bin', build({ kind: 'array', scalar: 'string' }, tags)],
    ['ngram-index.v1.bin', ngrams],
  ];
  return named.map(([name, index]) => {
    if (index === undefined) throw new Error('no index');
    return [name, index];
  });
}
