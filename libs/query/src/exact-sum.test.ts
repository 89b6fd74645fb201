import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createExactSum } from './exact-sum.ts';

function sumOf(values: readonly number[]): number {
  const sum = createExactSum();
  for (const value of values) sum.add(value);
  return sum.value();
}

/** The exact sum as an integer of units of 2⁻¹⁰⁷⁴, rounded by comparing with its neighbours. */
function unitsOf(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const size = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return bits >> 63n === 1n ? -size : size;
}

const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 });

describe('exact sum', () => {
  test('is the float nearest to the exact sum', () => {
    fc.assert(
      fc.property(fc.array(finite, { maxLength: 20 }), (values) => {
        const exact = values.reduce((sum, value) => sum + unitsOf(value), 0n);
        const found = sumOf(values);
        const distance = (units: bigint) => (units < 0n ? -units : units);
        const off = distance(unitsOf(found) - exact);
        const step = Math.abs(found) * 2 ** -52 || Number.MIN_VALUE;
        for (const other of [found - step, found + step]) {
          expect(off <= distance(unitsOf(other) - exact)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('does not depend on the order', () => {
    fc.assert(
      fc.property(fc.array(finite, { maxLength: 20 }), (values) => {
        expect(sumOf([...values].reverse())).toBe(sumOf(values));
      }),
    );
  });

  test('breaks ties by what is below', () => {
    expect(sumOf([1, 2 ** -53])).toBe(1);
    expect(sumOf([1, 2 ** -53, 2 ** -120])).toBe(1 + 2 ** -52);
    expect(sumOf([1 + 2 ** -52, 2 ** -53, -(2 ** -120)])).toBe(1 + 2 ** -52);
  });

  test('what is not finite stays so', () => {
    expect(sumOf([1, Infinity])).toBe(Infinity);
    expect(sumOf([Infinity, -Infinity])).toBeNaN();
    expect(sumOf([1e308, 1e308])).toBe(Infinity);
  });
});
