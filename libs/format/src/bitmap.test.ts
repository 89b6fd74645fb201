import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  andInPlace,
  andNotInPlace,
  clearBit,
  countBits,
  createBitmap,
  createFullBitmap,
  forEachBit,
  getBit,
  isBitmapOf,
  nextBit,
  notInPlace,
  orInPlace,
  setBit,
  setBitRange,
} from './bitmap.ts';

const offsets = fc.constantFrom(0, 1, 4);
const rows = fc.integer({ min: 0, max: 200 });
const bits = rows.chain((n) => fc.array(fc.boolean(), { minLength: n, maxLength: n }));
const pairs = rows.chain((n) => {
  const list = fc.array(fc.boolean(), { minLength: n, maxLength: n });
  return fc.tuple(list, list);
});

/** At a byte that need not be aligned. */
function bitmapOf(list: readonly boolean[], offset = 0) {
  const bitmap = new Uint8Array(offset + createBitmap(list.length).length).subarray(offset);
  for (const [i, bit] of list.entries()) if (bit) setBit(bitmap, i);
  return bitmap;
}

function listOf(bitmap: Uint8Array, length: number): boolean[] {
  return Array.from({ length }, (_, i) => getBit(bitmap, i));
}

describe('bitmap', () => {
  test('agrees with a list of booleans: set, count, iterate, next', () => {
    fc.assert(
      fc.property(bits, offsets, (list, offset) => {
        const bitmap = bitmapOf(list, offset);
        const expected = list.flatMap((bit, i) => (bit ? [i] : []));
        const visited: number[] = [];
        forEachBit(bitmap, (bit) => visited.push(bit));
        expect(visited).toEqual(expected);
        expect(countBits(bitmap)).toBe(expected.length);
        for (let from = 0; from <= list.length; from++) {
          expect(nextBit(bitmap, from)).toBe(expected.find((bit) => bit >= from) ?? -1);
        }
        for (const bit of expected) clearBit(bitmap, bit);
        expect(countBits(bitmap)).toBe(0);
      }),
    );
  });

  test('and, or, and-not, not agree with booleans and keep bits past the end clear', () => {
    fc.assert(
      fc.property(pairs, offsets, offsets, ([a, b], targetOffset, otherOffset) => {
        const check = (change: (target: Uint8Array) => void, expected: boolean[]) => {
          const target = bitmapOf(a, targetOffset);
          change(target);
          expect(listOf(target, a.length)).toEqual(expected);
          expect(isBitmapOf(target, a.length)).toBe(true);
        };
        const other = bitmapOf(b, otherOffset);
        check(
          (target) => andInPlace(target, other),
          a.map((bit, i) => bit && b[i] === true),
        );
        check(
          (target) => orInPlace(target, other),
          a.map((bit, i) => bit || b[i] === true),
        );
        check(
          (target) => andNotInPlace(target, other),
          a.map((bit, i) => bit && b[i] !== true),
        );
        check(
          (target) => notInPlace(target, a.length),
          a.map((bit) => !bit),
        );
      }),
    );
  });

  test('sets ranges and full bitmaps', () => {
    fc.assert(
      fc.property(rows, rows, rows, (n, x, y) => {
        const [from, to] = [Math.min(x, y, n), Math.min(Math.max(x, y), n)];
        const bitmap = createBitmap(n);
        setBitRange(bitmap, from, to);
        expect(listOf(bitmap, n)).toEqual(Array.from({ length: n }, (_, i) => i >= from && i < to));
        expect(countBits(createFullBitmap(n))).toBe(n);
        expect(isBitmapOf(createFullBitmap(n), n)).toBe(true);
      }),
    );
  });

  test('a bitmap with a bit past its rows, or of another length, is none', () => {
    expect(isBitmapOf(Uint8Array.of(0b1000), 3)).toBe(false);
    expect(isBitmapOf(Uint8Array.of(0b0111), 3)).toBe(true);
    expect(isBitmapOf(Uint8Array.of(0, 0), 3)).toBe(false);
  });
});
