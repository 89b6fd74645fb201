import type { Clusters } from '@lagoon/segment';

/** What one segment needs for a query: its nearest leaves, and its best candidates by code. */
export interface LeafBudget {
  readonly leaves: number;
  readonly candidates: number;
}

/**
 * The budget that was learned, between two learned recalls in proportion: budgets grow ever faster with the recall, so this is more than is needed. Below the
 * lowest it is that one's; above the highest all leaves are visited.
 *
 * Between two learned ks it grows with the logarithm of k, which is more than a power of k would be. Nearer rows are found by no more than farther ones
 * need: where it was learned otherwise, for few rows say little about the recall of one, the larger k's budget counts. Beyond the largest k: all leaves, and
 * candidates in proportion to k.
 */
export function budgetFor({ budgets, leafEnds }: Clusters, k: number, recall: number): LeafBudget {
  const { ks, recalls, leaves, candidates } = budgets;
  const place = placeOf(recalls, recall);
  const at = (values: Uint32Array, row: number): number => {
    const [from, to] = [row * recalls.length + place.below, row * recalls.length + place.above];
    return (values[from] as number) * (1 - place.share) + (values[to] as number) * place.share;
  };
  const above = ks.findIndex((one) => one >= k);
  if (above < 0) {
    const last = ks.length - 1;
    return { leaves: leafEnds.length, candidates: roundUp((k * at(candidates, last)) / (ks[last] as number)) };
  }
  const between = (values: Uint32Array): number => {
    const high = at(values, above);
    const [kBelow, kAbove] = [ks[above - 1], ks[above] as number];
    if (kBelow === undefined || kAbove === k) return roundUp(high);
    const low = Math.min(at(values, above - 1), high);
    return roundUp(low + ((high - low) * Math.log(k / kBelow)) / Math.log(kAbove / kBelow));
  };
  return {
    leaves: place.isBeyond ? leafEnds.length : Math.min(between(leaves), leafEnds.length),
    candidates: Math.max(roundUp(k), between(candidates)),
  };
}

interface Place {
  readonly below: number;
  readonly above: number;
  /** How far it is from the one to the other. */
  readonly share: number;
  /** Above the highest: nothing was learned for it. */
  readonly isBeyond: boolean;
}

function placeOf(recalls: readonly number[], recall: number): Place {
  const above = recalls.findIndex((one) => one >= recall - 1e-9);
  const last = recalls.length - 1;
  if (above < 0) return { below: last, above: last, share: 0, isBeyond: true };
  const [low, high] = [recalls[above - 1], recalls[above] as number];
  if (low === undefined) return { below: above, above, share: 0, isBeyond: false };
  return { below: above - 1, above, share: Math.min(1, (recall - low) / (high - low)), isBeyond: false };
}

/** Not for the rounding of proportions. */
function roundUp(value: number): number {
  return Math.ceil(value - 1e-6);
}
