import { describe, expect, test } from '@jest/globals';
import { shortestF16 } from './f16-decimal.ts';

/** Every finite f16 but zeros, by its bits. */
const all = new Float16Array(new Uint16Array(0x10000).map((_, bits) => bits).buffer);
const finite = Array.from({ length: 0x7bff }, (_, i) => i + 1).flatMap((bits) => [bits, bits | 0x8000]);

/** Significant digits of a number's shortest text. */
function digitsOf(value: number): number {
  const [mantissa = ''] = Math.abs(value).toExponential().split('e');
  return mantissa.replace('.', '').length;
}

/** The nearest decimals of so many digits on either side. */
function around(value: number, digits: number): number[] {
  const exponent = Math.floor(Math.log10(Math.abs(value))) - digits + 1;
  const step = (steps: number) => Number(`${steps}e${exponent}`);
  const steps = Math.floor(Number(`${value}e${-exponent}`));
  return [steps - 1, steps, steps + 1].map(step);
}

describe('shortestF16', () => {
  test('reads back as the same f16, for every one of them', () => {
    expect(finite.filter((bits) => Math.f16round(shortestF16(all[bits] as number)) !== all[bits])).toEqual([]);
  });

  test('has as few digits as any decimal that does', () => {
    const isTooLong = (bits: number): boolean => {
      const value = all[bits] as number;
      const digits = digitsOf(shortestF16(value));
      return digits > 1 && around(value, digits - 1).some((one) => Math.f16round(one) === value);
    };
    expect(finite.filter(isTooLong)).toEqual([]);
  });

  test('prints what people wrote', () => {
    for (const value of [0.1, 0.7, -2, 1, 0.5, 6e-8, 1e-5, 100, 2048]) {
      expect(shortestF16(Math.f16round(value))).toBe(value);
    }
    expect(shortestF16(-0)).toBe(-0);
  });
});
