import { assert } from '@lagoon/base';

/** Half the square of the z of a one-sided 99 % bound. */
const confidence = 2.326 ** 2 / 2;
const stepCount = 40;

/**
 * Whether the mean of what values in [0, 1] were drawn from is above `mean` with 99 % confidence: the likelihood ratio of the empirical
 * distribution against the likeliest one with that mean, which may have a 0 that was not drawn (empirical likelihood, Owen 1988). Its logarithm is
 * the maximum over a share λ in [0, 1 / mean] of Σ log(1 + λ (value − mean)), which is concave.
 *
 * Recalls have a long tail below, where a bound from their deviation alone promises too much: of 512 it is wrong in 2 to 4 % instead of 1 %, this
 * one in 0.8 to 1.2 %.
 * Few values that are all 1 prove no mean near 1.
 */
export function meanIsAbove(values: Float64Array, mean: number): boolean {
  assert(mean > 0 && mean < 1, 'a mean to compare with is between 0 and 1');
  if (values.reduce((sum, value) => sum + value, 0) <= mean * values.length) return false;
  let low = 0;
  let high = 1 / mean;
  for (let step = 0; step < stepCount; step++) {
    const middle = (low + high) / 2;
    if (slopeAt(values, mean, middle) > 0) low = middle;
    else high = middle;
  }
  let logarithm = 0;
  for (const value of values) logarithm += Math.log1p(low * (value - mean));
  return logarithm >= confidence;
}

function slopeAt(values: Float64Array, mean: number, share: number): number {
  let slope = 0;
  for (const value of values) slope += (value - mean) / (1 + share * (value - mean));
  return slope;
}
