import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { compareBytes, isLagoonError, utf8Encode } from '@lagoon/base';
import fc from 'fast-check';
import { isBitmapOf } from './bitmap.ts';
import type { BlockInput, ColumnInput } from './block-input.ts';
import { arbitraryBlockInput, goldenInput, vectorInput } from './block-samples.ts';
import type { Block } from './column.ts';
import type { DocumentId } from './document-id.ts';
import { encodeBlock } from './encode-block.ts';
import { findId, idAt } from './id-column.ts';
import { openBlock, verifyBlock } from './open-block.v1.ts';
import type { AttributeValue } from './value.ts';
import { isNull, valueAt } from './value-at.ts';
import { blockChecksum } from './write-block.v1.ts';

function order(a: DocumentId, b: DocumentId): number {
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : a > b ? 1 : 0;
  return compareBytes(utf8Encode(String(a)), utf8Encode(String(b)));
}

function inputValue(column: ColumnInput, row: number): AttributeValue {
  const { type, values, nulls } = column;
  if (!(values instanceof Float32Array)) return values[row] as AttributeValue;
  if (type.kind !== 'vector' || isNull(nulls, row)) return null;
  return values.slice(row * type.dims, (row + 1) * type.dims);
}

/** Rows by id, as plain values. */
function rowsOf(block: Block): Map<DocumentId, AttributeValue[]> {
  const rows = new Map<DocumentId, AttributeValue[]>();
  for (let row = 0; row < block.rowCount; row++) {
    rows.set(
      idAt(block.ids, row),
      [...block.columns.values()].map(({ column }) => valueAt(column, row)),
    );
  }
  return rows;
}

function invalid(change: Partial<BlockInput>): unknown {
  try {
    encodeBlock({ ...goldenInput(), ...change });
  } catch (error) {
    return error;
  }
  return undefined;
}

function expectInvalid(change: Partial<BlockInput>, ...words: string[]): void {
  const error = invalid(change);
  expect(isLagoonError(error, 'invalid_argument')).toBe(true);
  for (const word of words) expect(String(error)).toContain(word);
}

const one = { idKind: 'u64', ids: [7n], deletes: [] } as const;

describe('columnar block', () => {
  test('what was encoded is what is read, rows sorted by id', () => {
    fc.assert(
      fc.property(arbitraryBlockInput, (input) => {
        const block = openBlock(encodeBlock(input));
        const sorted = [...input.ids].sort(order);
        const expected = new Map(
          sorted.map((id) => [id, input.columns.map((column) => inputValue(column, input.ids.indexOf(id)))]),
        );
        expect([...rowsOf(block)]).toEqual([...expected]);
        const deletes = Array.from({ length: block.deletes.count }, (_, row) => idAt(block.deletes, row));
        expect(deletes).toEqual([...input.deletes].sort(order));
        for (const [row, id] of sorted.entries()) expect(findId(block.ids, id)).toBe(row);
        for (const id of input.deletes) expect(findId(block.ids, id)).toBe(-1);
        for (const { column } of block.columns.values()) {
          if (column.nulls !== undefined) expect(isBitmapOf(column.nulls, block.rowCount)).toBe(true);
        }
      }),
    );
  });

  test('the order of the input does not matter', () => {
    const int = (values: bigint[]): ColumnInput => ({ name: 'int', type: { kind: 'scalar', scalar: 'int' }, values });
    const { ids } = goldenInput();
    const straight = { ...goldenInput(), columns: [int([1n, 2n, 3n])] };
    const reversed = { ...goldenInput(), ids: ids.toReversed(), columns: [int([3n, 2n, 1n])] };
    expect(encodeBlock(reversed)).toEqual(encodeBlock(straight));
  });

  test('the golden file of v1 is read, and written byte for byte', () => {
    const golden = new Uint8Array(readFileSync(new URL('../golden/columns.v1.bin', import.meta.url)));
    expect(rowsOf(openBlock(golden))).toEqual(rowsOf(openBlock(encodeBlock(goldenInput()))));
    expect(compareBytes(encodeBlock(goldenInput()), golden)).toBe(0);
  });

  test('every flipped bit is detected', () => {
    const bytes = encodeBlock(goldenInput());
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      (flipped[bit >> 3] as number) ^= 1 << (bit & 7);
      expect(isCorrupt(flipped)).toBe(true);
    }
  });

  test('every truncation and any longer block is detected', () => {
    const bytes = encodeBlock(goldenInput());
    for (let length = 0; length < bytes.length; length++) expect(isCorrupt(bytes.slice(0, length))).toBe(true);
    const longer = new Uint8Array(bytes.length + 16);
    longer.set(bytes);
    expect(isCorrupt(longer)).toBe(true);
  });

  test('hostile bytes under a right checksum are corrupt or harmless, never out of range', () => {
    const bytes = encodeBlock(goldenInput());
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (changes) => {
          const hostile = bytes.slice();
          for (const [at, value] of changes) hostile[at] = value;
          new DataView(hostile.buffer).setUint32(8, blockChecksum(hostile), true);
          if (!isCorrupt(hostile)) rowsOf(openBlock(hostile));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('a string that starts inside a character is corrupt under a right checksum', () => {
    const column: ColumnInput = { name: 's', type: { kind: 'scalar', scalar: 'string' }, values: ['é', 'é'] };
    const bytes = encodeBlock({ idKind: 'u64', ids: [1n, 2n], deletes: [], columns: [column] });
    const opened = openBlock(bytes).columns.get('s')?.column;
    if (opened?.kind !== 'scalar' || opened.scalar !== 'string') throw new Error('not a string column');
    opened.offsets[1] = 1;
    new DataView(bytes.buffer).setUint32(8, blockChecksum(bytes), true);
    expect(() => verifyBlock(bytes)).toThrow('inside a character');
  });

  test('opens without copying, from shared memory too, and copies only what is not aligned', () => {
    const bytes = encodeBlock(goldenInput());
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 32));
    shared.set(bytes, 16);
    const block = openBlock(shared.subarray(16, 16 + bytes.length), { verify: false });
    expect(block.bytes.buffer).toBe(shared.buffer);
    expect(rowsOf(block)).toEqual(rowsOf(openBlock(bytes)));
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(rowsOf(openBlock(shifted.subarray(3)))).toEqual(rowsOf(openBlock(bytes)));
    const buffer = Buffer.from(shifted.buffer);
    expect(rowsOf(openBlock(buffer.subarray(3)))).toEqual(rowsOf(openBlock(bytes)));
    expect(Buffer.isBuffer(openBlock(Buffer.from(bytes.buffer)).bytes)).toBe(false);
  });

  test('inverse norms are computed in f64 and rounded once', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, min: -(2 ** 60), max: 2 ** 60 }), { minLength: 3, maxLength: 3 }),
        (vector) => {
          const block = openBlock(encodeBlock({ ...one, columns: [vectorInput('v', 3, [vector])] }));
          const column = block.columns.get('v')?.column;
          const norm = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
          const expected = norm === 0 || 1 / norm > 3.4e38 ? 0 : Math.fround(1 / norm);
          expect(column?.kind === 'vector' ? column.inverseNorms[0] : undefined).toBe(expected);
        },
      ),
    );
  });

  test('counts logical bytes as billed', () => {
    const block = openBlock(encodeBlock(goldenInput()));
    const ids = 1 + 1 + 2 + 1 + 1;
    const scalars = 6 + 6 + 16 + 24 + 16 + 32 + 24 + 2 + 2;
    const arrays = 3 + 24;
    expect(block.logicalBytes).toBe(ids + scalars + arrays + 2 * 12);
  });

  test('ids: twice, empty, too long, mixed, out of range are refused by name', () => {
    expectInvalid({ ids: ['b', 'b', 'c'] }, 'twice', 'id=b');
    expectInvalid({ deletes: ['q', 'q'] }, 'twice', 'id=q');
    expectInvalid({ deletes: ['a'] }, 'twice', 'id=a');
    expectInvalid({ ids: ['b', '', 'c'] }, 'empty');
    expectInvalid({ ids: ['b', 'ü'.repeat(33), 'c'] }, 'too long', 'bytes=66');
    expectInvalid({ ids: ['b', '\ud800', 'c'] }, 'well-formed');
    expectInvalid({ ids: ['b', 3n, 'c'] }, 'wrong type', 'id=3');
    expectInvalid({ idKind: 'u64', ids: [1n, 2n ** 64n], deletes: [], columns: [] }, 'out of range');
    expectInvalid({ idKind: 'u64', ids: [-1n], deletes: [], columns: [] }, 'out of range');
    expectInvalid({ idKind: 'uuid', ids: ['no-uuid'], deletes: [], columns: [] }, 'wrong type', 'no-uuid');
    const upper = '01234567-89AB-CDEF-0123-456789ABCDEF';
    expectInvalid({ idKind: 'uuid', ids: [upper, upper.toLowerCase()], deletes: [], columns: [] }, 'twice');
  });

  test('vectors: NaN, infinite and too long ones are refused by attribute and id', () => {
    for (const bad of [Number.NaN, Infinity, -Infinity, 1e38]) {
      expectInvalid({ ...one, columns: [vectorInput('v', 2, [[1, bad]])] }, 'attribute=v', 'id=7');
    }
    expect(invalid({ ...one, columns: [vectorInput('v', 2, [[1, 1.8e19]])] })).toBeUndefined();
    expectInvalid(
      {
        ...one,
        columns: [
          vectorInput('v', 2, [
            [1, 2],
            [3, 4],
          ]),
        ],
      },
      'rows × dimensions',
    );
    const eight = Array.from({ length: 9 }, (_, i) => vectorInput(`v${i}`, 1, [[1]]));
    expectInvalid({ ...one, columns: eight }, 'too many vector');
  });

  test('values of another type, names and sizes out of bounds are refused by attribute and id', () => {
    const scalar = (
      scalarType: 'int' | 'uint' | 'string' | 'bool' | 'float' | 'uuid',
      value: AttributeValue,
    ): Partial<BlockInput> => ({
      ...one,
      columns: [{ name: 'x', type: { kind: 'scalar', scalar: scalarType }, values: [value] }],
    });
    for (const change of [
      scalar('int', 'text'),
      scalar('int', 2n ** 63n),
      scalar('int', 1.5),
      scalar('uint', -1n),
      scalar('string', 1n),
      scalar('bool', 'true'),
      scalar('float', Number.NaN),
      scalar('uuid', 'x'),
      scalar('string', 'x'.repeat((8 << 20) + 1)),
    ]) {
      expectInvalid(change, 'attribute=x', 'id=7');
    }
    expectInvalid(
      { ...one, columns: [{ name: '', type: { kind: 'scalar', scalar: 'int' }, values: [1n] }] },
      'empty name',
    );
    expectInvalid({ ...one, columns: [{ name: 'id', type: { kind: 'scalar', scalar: 'int' }, values: [1n] }] }, 'id');
    const array: ColumnInput = { name: 'x', type: { kind: 'array', scalar: 'int' }, values: [[1n, 'q']] };
    expectInvalid({ ...one, columns: [array] }, 'attribute=x', 'id=7');
    expectInvalid({ ...one, columns: [array, array] }, 'attribute=x');
    expectInvalid({ ...one, ids: [1n, 2n], columns: [{ ...array, values: [[1n]] }] }, 'differ in length');
  });

  test('a document above 64 MiB is refused by id', () => {
    const big = 'x'.repeat(8 << 20);
    const columns = Array.from(
      { length: 9 },
      (_, i): ColumnInput => ({
        name: `t${i}`,
        type: { kind: 'scalar', scalar: 'string' },
        values: [big],
      }),
    );
    expectInvalid({ ...one, columns }, 'document is too large', 'id=7');
  });
});

function isCorrupt(bytes: Uint8Array): boolean {
  try {
    verifyBlock(bytes);
  } catch (error) {
    if (isLagoonError(error, 'corrupt')) return true;
    throw error;
  }
  return false;
}
