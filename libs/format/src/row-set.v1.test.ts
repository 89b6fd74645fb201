import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { createByteWriter, isLagoonError } from '@lagoon/base';
import fc from 'fast-check';
import { createBitmap, forEachBit, isBitmapOf, setBit } from './bitmap.ts';
import { andNotRowSets, andRowSet, encodeRowSet, orRowSets } from './row-set.v1.ts';

function encode(...sets: readonly (readonly number[])[]): Uint8Array {
  const writer = createByteWriter();
  for (const rows of sets) encodeRowSet(writer, Uint32Array.from(rows));
  return writer.result().slice();
}

function bitmapOf(rows: Iterable<number>, rowCount: number): Uint8Array {
  const bitmap = createBitmap(rowCount);
  for (const row of rows) setBit(bitmap, row);
  return bitmap;
}

function rowsOf(bitmap: Uint8Array): number[] {
  const rows: number[] = [];
  forEachBit(bitmap, (row) => rows.push(row));
  return rows;
}

const rowCount = 200_003;

/** Single rows, runs and dense stretches, so that every kind of container is there. */
const rowSet: fc.Arbitrary<number[]> = fc
  .array(
    fc.oneof(
      fc.nat(rowCount - 1).map((row) => [row]),
      fc
        .record({ start: fc.nat(rowCount - 1), length: fc.nat(9_000) })
        .map(({ start, length }) => Array.from({ length: Math.min(length, rowCount - start) }, (_, i) => start + i)),
      fc
        .record({ start: fc.nat(rowCount - 1), step: fc.integer({ min: 2, max: 5 }), count: fc.nat(20_000) })
        .map(({ start, step, count }) =>
          Array.from({ length: Math.min(count, Math.ceil((rowCount - start) / step)) }, (_, i) => start + step * i),
        ),
    ),
    { maxLength: 4 },
  )
  .map((parts) => [...new Set(parts.flat())].sort((a, b) => a - b));

describe('row sets', () => {
  test('or, and, and-not with a bitmap are those of sets', () => {
    fc.assert(
      fc.property(rowSet, rowSet, rowSet, (before, first, second) => {
        const both = encode(first, second);
        const or = bitmapOf(before, rowCount);
        orRowSets(or, rowCount, both);
        expect(or).toEqual(bitmapOf([...before, ...first, ...second], rowCount));
        const wanted = new Set(before);
        const and = bitmapOf(before, rowCount);
        andRowSet(and, rowCount, encode(first));
        expect(rowsOf(and)).toEqual(first.filter((row) => wanted.has(row)));
        const removed = new Set([...first, ...second]);
        const andNot = bitmapOf(before, rowCount);
        andNotRowSets(andNot, rowCount, both);
        expect(rowsOf(andNot)).toEqual(before.filter((row) => !removed.has(row)));
        expect([or, and, andNot].every((bitmap) => isBitmapOf(bitmap, rowCount))).toBe(true);
      }),
      { numRuns: 15 },
    );
  });

  test('one row takes as many bytes as its number, a dense set a bit per row, a run four bytes', () => {
    expect(encode([1_000_000])).toHaveLength(3);
    const every = Array.from({ length: 65_536 }, (_, row) => row);
    expect(encode(every).length).toBeLessThan(10);
    expect(encode(every.filter((row) => row % 3 === 0)).length).toBeLessThan(8_200);
    expect(encode(every.filter((row) => row % 100 === 0)).length).toBeLessThan(1_330);
  });

  test('any bytes are a set of rows that are there, or corrupt', () => {
    const tryAll = (bytes: Uint8Array, count: number): void => {
      for (const combine of [orRowSets, andNotRowSets, andRowSet]) {
        const bitmap = createBitmap(count);
        try {
          combine(bitmap, count, bytes);
        } catch (error) {
          if (!isLagoonError(error, 'corrupt')) throw error;
        }
        expect(isBitmapOf(bitmap, count)).toBe(true);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(70_000), tryAll));
    const rows = Array.from({ length: 50 }, (_, i) => 700 * i);
    const sets = encode(
      rows,
      [3],
      [5, 6, 7, 8],
      Array.from({ length: 900 }, (_, i) => 3 * i),
    );
    for (let bit = 0; bit < 8 * sets.length; bit++) {
      const bytes = sets.slice();
      bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ (1 << (bit & 7));
      tryAll(bytes, 40_001);
    }
  });

  test('every truncation of a set is corrupt', () => {
    const set = encode(Array.from({ length: 300 }, (_, i) => 211 * i));
    for (let size = 1; size < set.length; size++) {
      expect(() => orRowSets(createBitmap(70_000), 70_000, set.subarray(0, size))).toThrow(
        expect.objectContaining({ code: 'corrupt' }),
      );
    }
  });

  test('the golden sets are read as they were written', () => {
    const bytes = new Uint8Array(readFileSync(new URL('../golden/row-set.v1.bin', import.meta.url)));
    expect(encode(...goldenSets)).toEqual(bytes);
    const bitmap = createBitmap(rowCount);
    orRowSets(bitmap, rowCount, bytes);
    expect(bitmap).toEqual(bitmapOf(goldenSets.flat(), rowCount));
  });
});

/** One row, an array over three containers, a dense stretch, a run, nothing. */
const goldenSets = [
  [123_456],
  [0, 7, 65_535, 65_536, 131_072, 200_002],
  Array.from({ length: 3_000 }, (_, i) => 3 * i),
  Array.from({ length: 100_000 }, (_, i) => 20_000 + i),
  [],
];
