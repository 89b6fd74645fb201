import type { IvfBudgets } from '@lagoon/vector';

/** What one segment needs for a query: its nearest leaves, and its best candidates by code. */
export interface LeafBudget {
  readonly leafCount: number;
  readonly candidateCount: number;
}

/**
 * The budget that was learned for the k and the recall, or the next above them; between two learned ks it grows with the logarithm
 * of k. Undefined: no recall so high was learned, so every row is to be looked at.
 */
export function budgetFor(
  { ks, recalls, leaves, candidates }: IvfBudgets,
  k: number,
  recall: number,
): LeafBudget | undefined {
  const column = recalls.findIndex((learned) => learned >= recall);
  if (column < 0) return undefined;
  const above = ks.findIndex((learned) => learned >= k);
  if (above < 0) return undefined;
  const at = (values: Uint32Array, row: number): number => values[row * recalls.length + column] as number;
  const high = { leafCount: at(leaves, above), candidateCount: at(candidates, above) };
  if (above === 0 || ks[above] === k) return high;
  const [kBelow, kAbove] = [ks[above - 1] as number, ks[above] as number];
  const share = Math.log(k / kBelow) / Math.log(kAbove / kBelow);
  const between = (values: Uint32Array, to: number): number => {
    const from = at(values, above - 1);
    return Math.ceil(from + share * Math.max(0, to - from));
  };
  return { leafCount: between(leaves, high.leafCount), candidateCount: between(candidates, high.candidateCount) };
}
