import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { compareBytes, isLagoonError } from '@lagoon/base';
import fc from 'fast-check';
import type { BlockInput } from './block-input.ts';
import { encodeBlock } from './encode-block.ts';
import { openBlock } from './open-block.v1.ts';
import { packSparseEntry, sparseDimensionMax, unpackSparseEntry } from './sparse-entry.ts';
import { valueAt } from './value-at.ts';

const type = { kind: 'array', scalar: 'entry' } as const;
const entry = (dimension: number, weight: number): bigint => packSparseEntry({ dimension, weight });

/** Content of golden/columns.v1.sparse.bin. */
const goldenInput: BlockInput = {
  idKind: 'u64',
  ids: [1n, 2n, 3n],
  deletes: [],
  columns: [{ name: 's', type, values: [[entry(0, 1), entry(7, -0.5), entry(sparseDimensionMax, 65_504)], null, []] }],
};

function isRefused(values: bigint[], code: 'invalid_argument'): boolean {
  try {
    encodeBlock({ ...goldenInput, ids: [1n], columns: [{ name: 's', type, values: [values] }] });
    return false;
  } catch (error) {
    return isLagoonError(error, code);
  }
}

describe('entries of sparse vectors', () => {
  test('are read as they were packed, the weight as f16; their order is that of dimensions', () => {
    const arbitrary = fc.record({
      dimension: fc.integer({ min: 0, max: sparseDimensionMax }),
      weight: fc.float({ noNaN: true, min: -65_504, max: 65_504 }),
    });
    fc.assert(
      fc.property(arbitrary, arbitrary, (a, b) => {
        const packed = packSparseEntry(a);
        expect(unpackSparseEntry(packed)).toEqual({ dimension: a.dimension, weight: Math.f16round(a.weight) });
        if (a.dimension < b.dimension) expect(packed < packSparseEntry(b)).toBe(true);
      }),
    );
  });

  test('the golden file is read, and written byte for byte', () => {
    const golden = new Uint8Array(readFileSync(new URL('../golden/columns.v1.sparse.bin', import.meta.url)));
    const column = openBlock(golden).columns.get('s');
    expect(column?.type).toEqual(type);
    const rows = [0, 1, 2].map((row) => column && valueAt(column.column, row));
    expect(rows).toEqual(goldenInput.columns[0]?.values);
    expect(compareBytes(encodeBlock(goldenInput), golden)).toBe(0);
  });

  test('dimensions that do not ascend, or are too large, and weights that are not finite are refused', () => {
    expect(isRefused([entry(1, 1), entry(2, 1)], 'invalid_argument')).toBe(false);
    expect(isRefused([entry(2, 1), entry(1, 1)], 'invalid_argument')).toBe(true);
    expect(isRefused([entry(1, 1), entry(1, 2)], 'invalid_argument')).toBe(true);
    expect(isRefused([1n << 48n], 'invalid_argument')).toBe(true);
    expect(isRefused([entry(1, Infinity)], 'invalid_argument')).toBe(true);
    expect(isRefused([entry(1, Number.NaN)], 'invalid_argument')).toBe(true);
  });
});
