import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { LagoonError } from '@lagoon/base';
import { createBitmap, setBit } from '@lagoon/format';
import fc from 'fast-check';
import { decodeDeleteVector, encodeDeleteVector } from './delete-vector.v1.ts';

const vector = fc
  .record({ rowCount: fc.integer({ min: 0, max: 70 }), rows: fc.array(fc.nat(69)) })
  .map(({ rowCount, rows }) => {
    const dead = createBitmap(rowCount);
    for (const row of rows) if (row < rowCount) setBit(dead, row);
    return { rowCount, dead };
  });

const isCorrupt = (decode: () => unknown): boolean => {
  try {
    decode();
    return false;
  } catch (error) {
    return error instanceof LagoonError && error.code === 'corrupt';
  }
};

describe('a delete vector', () => {
  test('reads back as it was written', () => {
    fc.assert(
      fc.property(vector, ({ rowCount, dead }) => {
        expect(decodeDeleteVector(encodeDeleteVector(dead, rowCount), rowCount)).toEqual(dead);
      }),
    );
  });

  test('with any bit flipped, cut short, or of another segment is corrupt', () => {
    fc.assert(
      fc.property(vector, ({ rowCount, dead }) => {
        const bytes = encodeDeleteVector(dead, rowCount);
        for (let bit = 0; bit < bytes.length * 8; bit++) {
          const flipped = bytes.slice();
          flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
          expect(isCorrupt(() => decodeDeleteVector(flipped, rowCount))).toBe(true);
        }
        for (let size = 0; size < bytes.length; size++) {
          expect(isCorrupt(() => decodeDeleteVector(bytes.subarray(0, size), rowCount))).toBe(true);
        }
        expect(isCorrupt(() => decodeDeleteVector(bytes, rowCount + 1))).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test('is not written with bits past its rows', () => {
    expect(() => encodeDeleteVector(Uint8Array.of(0b1000), 3)).toThrow('one bit per row');
  });

  test('of version 1 stays readable', () => {
    const bytes = new Uint8Array(readFileSync(new URL('./golden/delete-vector.v1.bin', import.meta.url)));
    expect(decodeDeleteVector(bytes, 19)).toEqual(Uint8Array.of(0b0000_0101, 0b1000_0000, 0b0000_0100));
    expect(encodeDeleteVector(Uint8Array.of(0b0000_0101, 0b1000_0000, 0b0000_0100), 19)).toEqual(bytes);
  });
});
