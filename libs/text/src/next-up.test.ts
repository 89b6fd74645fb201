import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { nextUp } from './next-up.ts';

test('the next number is the one whose bits are one more', () => {
  const bitsOf = (value: number): bigint => {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    return view.getBigInt64(0);
  };
  const value = fc.double({ min: 5e-324, max: 1e308, noNaN: true });
  fc.assert(
    fc.property(value, (any) => expect(bitsOf(nextUp(any)) - bitsOf(any)).toBe(1n)),
    { numRuns: 2_000 },
  );
  for (const edge of [5e-324, 2 ** -1022, 1e-290, 1, 2 - Number.EPSILON, 2, 1.5, 2 ** 1000]) {
    expect(bitsOf(nextUp(edge)) - bitsOf(edge)).toBe(1n);
  }
});
