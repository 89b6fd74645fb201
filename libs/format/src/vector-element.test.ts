import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { compareBytes, isLagoonError } from '@lagoon/base';
import fc from 'fast-check';
import type { BlockInput } from './block-input.ts';
import { vectorElements, vectorInput } from './block-samples.ts';
import { encodeBlock } from './encode-block.ts';
import { openBlock } from './open-block.v1.ts';
import type { VectorElement } from './schema.ts';
import { valueAt } from './value-at.ts';
import { vectorElementBytes } from './vector-element.ts';
import { blockChecksum } from './write-block.v1.ts';

/** Content of golden/columns.v1.elements.bin. */
const goldenInput: BlockInput = {
  idKind: 'u64',
  ids: [1n, 2n, 3n],
  deletes: [],
  columns: [
    vectorInput('half', 3, [[0.1, -65_504, 2 ** -24], null, [0, -0, 1]], 'f16'),
    vectorInput('byte', 5, [[-128, 127, 0, 1, -1], [0, 0, 0, 0, 0], null], 'i8'),
    vectorInput('full', 1, [[0.1], [1e10], null]),
  ],
};

/** Every finite f16, ascending, by the definition of its bits. */
const halves = Array.from({ length: 0x7c00 }, (_, bits) => {
  const exponent = bits >> 10;
  const fraction = bits & 0x3ff;
  return exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
});

/** The nearest of all of them; of two as near the one with an even fraction. Undefined: the number rounds to what is no f16. */
function nearestHalf(value: number): number | undefined {
  const magnitude = Math.abs(value);
  if (magnitude >= 65_520) return undefined;
  const above = halves.findIndex((half) => half >= magnitude);
  if (above < 0) return Math.sign(value) * 65_504;
  if (above === 0) return value;
  const low = halves[above - 1] as number;
  const high = halves[above] as number;
  const isLow = magnitude - low < high - magnitude || (magnitude - low === high - magnitude && (above - 1) % 2 === 0);
  return (isLow ? low : high) * (value < 0 || Object.is(value, -0) ? -1 : 1);
}

function store(element: VectorElement, ...values: number[]): number[] {
  const input = vectorInput('v', values.length, [values], element);
  const column = openBlock(encodeBlock({ idKind: 'u64', ids: [7n], deletes: [], columns: [input] })).columns.get('v');
  if (column === undefined) throw new Error('no column');
  return [...(valueAt(column.column, 0) as Float32Array)];
}

function problemOf(element: VectorElement, ...values: number[]): string {
  try {
    store(element, ...values);
  } catch (error) {
    expect(isLagoonError(error, 'invalid_argument')).toBe(true);
    return String(error);
  }
  return '';
}

describe('elements of vectors', () => {
  test('f16 is the nearest one, of two as near the even one; what rounds beyond its range is refused', () => {
    const midpoint = fc
      .integer({ min: 0, max: halves.length - 2 })
      .map((i) => ((halves[i] as number) + (halves[i + 1] as number)) / 2);
    const number = fc.oneof(
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.float({ noNaN: true, min: -70_000, max: 70_000 }),
      fc.float({ noNaN: true, min: Math.fround(-1e-6), max: Math.fround(1e-6) }),
      midpoint,
      midpoint.map((value) => -value),
      fc.constantFrom(65_504, 65_519.996, 65_520, -65_520, 2 ** -25, 2 ** -24),
    );
    fc.assert(
      fc.property(number.map(Math.fround), (value) => {
        const expected = nearestHalf(value);
        if (expected === undefined) expect(problemOf('f16', 0, value)).toContain('range of f16');
        else expect(store('f16', value)).toEqual([expected]);
      }),
      { numRuns: 300 },
    );
  });

  test('i8 holds the integers from -128 to 127 and nothing else', () => {
    for (let value = -128; value <= 127; value++) expect(store('i8', value)).toEqual([value]);
    for (const value of [128, -129, 0.5, 1e9, Number.NaN, Infinity]) {
      expect(problemOf('i8', 0, 0, value)).toContain(
        'not an integer from -128 to 127 (attribute=v, id=7, type=[3]i8, dimension=2, found=',
      );
    }
  });

  test('a component that f16 cannot hold is named by attribute, id and dimension', () => {
    for (const value of [65_520, -1e30, Number.NaN, Infinity]) {
      expect(problemOf('f16', 1, value)).toContain('attribute=v, id=7, type=[2]f16, dimension=1, found=');
    }
  });

  test('inverse norms are those of the values as stored', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, min: -100, max: 100 }), { minLength: 1, maxLength: 6 }),
        (values) => {
          const input = vectorInput('v', values.length, [values], 'f16');
          const { columns } = openBlock(encodeBlock({ idKind: 'u64', ids: [7n], deletes: [], columns: [input] }));
          const column = columns.get('v')?.column;
          if (column?.kind !== 'vector') throw new Error('no vectors');
          const square = [...column.values].reduce((sum, value) => sum + value * value, 0);
          expect(column.inverseNorms[0]).toBe(square === 0 ? 0 : Math.fround(1 / Math.sqrt(square)));
        },
      ),
    );
  });

  test('a value takes 4, 2 or 1 bytes, in the block and as billed', () => {
    const rows = Array.from({ length: 64 }, (_, row) => Array.from({ length: 100 }, (_, i) => ((row * i) % 256) - 128));
    const ids = rows.map((_, row) => BigInt(row));
    const sizes = vectorElements.map((element) => {
      const columns = [vectorInput('v', 100, rows, element)];
      const block = openBlock(encodeBlock({ idKind: 'u64', ids, deletes: [], columns }));
      const column = block.columns.get('v')?.column;
      expect(column?.kind === 'vector' ? column.values.byteLength : 0).toBe(6400 * vectorElementBytes(element));
      expect(block.logicalBytes).toBe(64 * 8 + 6400 * vectorElementBytes(element));
      return block.bytes.length;
    });
    expect([(sizes[0] ?? 0) - (sizes[1] ?? 0), (sizes[0] ?? 0) - (sizes[2] ?? 0)]).toEqual([12_800, 19_200]);
  });

  test('the golden file is read, and written byte for byte', () => {
    const golden = new Uint8Array(readFileSync(new URL('../golden/columns.v1.elements.bin', import.meta.url)));
    const { columns } = openBlock(golden);
    const rowsOf = (name: string) => {
      const column = columns.get(name)?.column;
      return [0, 1, 2].map((row) => (column === undefined ? undefined : valueAt(column, row)));
    };
    expect(rowsOf('half')).toEqual([
      Float32Array.of(Math.f16round(0.1), -65_504, 2 ** -24),
      null,
      Float32Array.of(0, -0, 1),
    ]);
    expect(rowsOf('byte')).toEqual([Float32Array.of(-128, 127, 0, 1, -1), new Float32Array(5), null]);
    expect(rowsOf('full')).toEqual([Float32Array.of(0.1), Float32Array.of(1e10), null]);
    expect(compareBytes(encodeBlock(goldenInput), golden)).toBe(0);
  });

  test('bits of f16 that are no number are corrupt, whatever the checksum says', () => {
    const bytes = encodeBlock(goldenInput);
    const column = openBlock(bytes).columns.get('half')?.column;
    if (column?.kind !== 'vector') throw new Error('no vectors');
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    for (const bits of [0x7c00, 0xfc00, 0x7e00]) {
      view.setUint16(column.values.byteOffset - bytes.byteOffset + 2, bits, true);
      view.setUint32(8, blockChecksum(bytes), true);
      expect(() => openBlock(bytes)).toThrow('component of a vector is not finite');
    }
  });
});
