import type { Clusters } from '@lagoon/segment';

/** What one segment needs for a query: its nearest leaves, and its best candidates by code. */
export interface LeafBudget {
  readonly leaves: number;
  readonly candidates: number;
}

/**
 * The budget that was learned for the recall or the next above it; between two learned ks it grows with the logarithm of k, which is
 * more than a power of k would be. Nearer rows are found by no more than farther ones need: where it was learned otherwise, for few rows say
 * little about the recall of one, the larger k's budget counts. Beyond what was learned: all leaves, and candidates in proportion to k.
 */
export function budgetFor({ budgets, leafEnds }: Clusters, k: number, recall: number): LeafBudget {
  const { ks, recalls, leaves, candidates } = budgets;
  const learned = recalls.findIndex((one) => one >= recall - 1e-9);
  const column = learned < 0 ? recalls.length - 1 : learned;
  const at = (values: Uint32Array, row: number): number => values[row * recalls.length + column] as number;
  const above = ks.findIndex((one) => one >= k);
  if (above < 0) {
    const last = ks.length - 1;
    return { leaves: leafEnds.length, candidates: Math.ceil((k * at(candidates, last)) / (ks[last] as number)) };
  }
  const between = (values: Uint32Array): number => {
    const high = at(values, above);
    const [kBelow, kAbove] = [ks[above - 1], ks[above] as number];
    if (kBelow === undefined || kAbove === k) return high;
    const low = Math.min(at(values, above - 1), high);
    return Math.ceil(low + ((high - low) * Math.log(k / kBelow)) / Math.log(kAbove / kBelow));
  };
  return {
    leaves: learned < 0 ? leafEnds.length : Math.min(between(leaves), leafEnds.length),
    candidates: Math.max(k, between(candidates)),
  };
}
