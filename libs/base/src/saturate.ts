/**
 * A sum or product that is too large for a double becomes the largest one, so that no later step makes of it what is no number.
 * NaN stays.
 */
export function saturated(value: number): number {
  return Math.min(Math.max(value, -Number.MAX_VALUE), Number.MAX_VALUE);
}
