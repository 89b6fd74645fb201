import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shortestF32 } from './f32-decimal.ts';

const f32 = fc.float({ noNaN: true, noDefaultInfinity: true });

/** Significant digits of a number as JSON prints it. */
function digitCount(value: number): number {
  const mantissa = JSON.stringify(Math.abs(value)).replace(/e.*$/, '').replace('.', '');
  return mantissa.replace(/^0+/, '').replace(/0+$/, '').length;
}

/** The fewest digits with which some rounding of the value reads back as it. */
function fewestDigits(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    if (Math.fround(Number(value.toPrecision(digits))) === value) return digits;
  }
  return 9;
}

describe('shortestF32', () => {
  test('reads back as the same f32 and has no digit too many', () => {
    fc.assert(
      fc.property(f32, (value) => {
        const printed = shortestF32(value);
        expect(Math.fround(printed)).toBe(value === 0 ? printed : value);
        if (value !== 0) expect(digitCount(printed)).toBeLessThanOrEqual(fewestDigits(value));
      }),
      { numRuns: 5_000 },
    );
  });

  test('holds for every exponent of f32', () => {
    const word = new Uint32Array(1);
    const view = new Float32Array(word.buffer);
    for (let exponent = 0; exponent < 255; exponent++) {
      for (const mantissa of [0, 1, 0x400000, 0x7fffff, 0x2aaaaa, 0x123456]) {
        word[0] = (exponent << 23) | mantissa;
        const value = view[0] as number;
        expect(Math.fround(shortestF32(value))).toBe(value);
        if (value !== 0) expect(digitCount(shortestF32(value))).toBeLessThanOrEqual(fewestDigits(value));
      }
    }
  });

  test('a decimal of up to six digits comes back as it was written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -999_999, max: 999_999 }),
        fc.integer({ min: -12, max: 12 }),
        (digits, exponent) => {
          const written = Number(`${digits}e${exponent}`);
          expect(shortestF32(Math.fround(written))).toBe(written);
        },
      ),
    );
    expect(JSON.stringify([0.7, 0.1, 1e-7, 123456, 16777216].map((x) => shortestF32(Math.fround(x))))).toBe(
      '[0.7,0.1,1e-7,123456,16777216]',
    );
  });
});
