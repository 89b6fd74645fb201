import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { meanIsAbove } from './mean-bound.ts';

/** The largest mean that values are above of. */
function boundOf(values: Float64Array): number {
  let low = 0;
  let high = 1;
  for (let step = 0; step < 20; step++) {
    const middle = (low + high) / 2;
    if (meanIsAbove(values, middle)) low = middle;
    else high = middle;
  }
  return low;
}

const recalls = fc
  .array(
    fc.integer({ min: 0, max: 10 }).map((hits) => hits / 10),
    { minLength: 1, maxLength: 200 },
  )
  .map((values) => Float64Array.from(values));

describe('the bound of a mean', () => {
  test('is below the mean, and grows with every value', () => {
    fc.assert(
      fc.property(recalls, fc.nat(), (values, at) => {
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const bound = boundOf(values);
        expect(bound).toBeLessThanOrEqual(mean);
        const raised = values.slice();
        raised[at % raised.length] = 1;
        expect(boundOf(raised)).toBeGreaterThanOrEqual(bound - 1e-5);
        expect(boundOf(Float64Array.of(...values, ...values))).toBeGreaterThanOrEqual(bound - 1e-5);
      }),
      { numRuns: 50 },
    );
  });

  test('of n values that are all 1 is exp(-z² / 2n)', () => {
    for (const count of [1, 10, 512]) {
      expect(boundOf(new Float64Array(count).fill(1))).toBeCloseTo(Math.exp(-(2.326 ** 2) / 2 / count), 5);
    }
  });

  test('of values without a tail is near that of a normal mean', () => {
    const values = Float64Array.from({ length: 500 }, (_, i) => (i % 2 === 0 ? 0.4 : 0.6));
    expect(boundOf(values)).toBeCloseTo(0.5 - (2.326 * 0.1) / Math.sqrt(500), 3);
  });

  test('is above the true mean in about one of a hundred samples with a tail, where that of a normal mean is more often', () => {
    const tail = [4, 6, 10, 20, 40, 120]; // recalls 0, 0.2, 0.4, 0.6, 0.8, 0.9 in a thousand
    const table = new Float64Array(1000).fill(1);
    let end = 0;
    for (const [i, count] of tail.entries()) {
      table.fill([0, 0.2, 0.4, 0.6, 0.8, 0.9][i] as number, end, end + count);
      end += count;
    }
    const mean = table.reduce((sum, value) => sum + value, 0) / table.length;
    let state = 5;
    const draw = () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return table[(state >>> 0) % table.length] as number;
    };
    const missed = { likelihood: 0, normal: 0 };
    const sampleCount = 2000;
    for (let sample = 0; sample < sampleCount; sample++) {
      const values = Float64Array.from({ length: 512 }, draw);
      if (meanIsAbove(values, mean)) missed.likelihood++;
      const average = values.reduce((sum, value) => sum + value, 0) / values.length;
      const squares = values.reduce((sum, value) => sum + (value - average) ** 2, 0);
      if (average - (2.326 * Math.sqrt(squares)) / values.length > mean) missed.normal++;
    }
    expect(missed.likelihood).toBeGreaterThan(0);
    expect(missed.likelihood).toBeLessThan(0.02 * sampleCount); // 1.2 % of 16,000
    expect(missed.normal).toBeGreaterThan(missed.likelihood);
  });
});
