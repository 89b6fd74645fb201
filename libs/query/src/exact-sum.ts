/**
 * A sum of floats that does not depend on their order: the exact sum, rounded once. Kept as non-overlapping parts of growing
 * size (Shewchuk, Adaptive Precision Floating-Point Arithmetic, 1997, section 2.4).
 */
export interface ExactSum {
  add(value: number): void;
  /** Infinite or not a number where the values, or their exact sum, are. */
  value(): number;
}

export function createExactSum(): ExactSum {
  const parts: number[] = [];
  let special = 0;
  return {
    add: (value) => {
      if (!Number.isFinite(value)) {
        special += value;
        return;
      }
      let carried = value;
      let kept = 0;
      for (const part of parts) {
        const [large, small] = Math.abs(carried) < Math.abs(part) ? [part, carried] : [carried, part];
        const sum = large + small;
        const error = small - (sum - large);
        if (error !== 0) parts[kept++] = error;
        carried = sum;
      }
      parts.length = kept;
      if (Number.isFinite(carried)) parts.push(carried);
      else special += carried;
    },
    value: () => (special === 0 ? roundedSum(parts) + 0 : special), // never −0: that would tell of the order
  };
}

/** From the largest part down: the first error that stays is below half a unit, and what is below it can only break a tie. */
function roundedSum(parts: readonly number[]): number {
  let index = parts.length - 1;
  let sum = parts[index] ?? 0;
  while (index > 0) {
    const before = sum;
    const part = parts[--index] as number;
    sum = before + part;
    const error = part - (sum - before);
    if (error === 0) continue;
    const below = parts[index - 1] ?? 0;
    const isTieBroken = Math.sign(error) === Math.sign(below);
    const doubled = 2 * error;
    return isTieBroken && sum + doubled - sum === doubled ? sum + doubled : sum;
  }
  return sum;
}
