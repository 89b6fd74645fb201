import { assert } from '@lagoon/base';
import type { IvfBudgets } from './contract.ts';

/** What budgets are learned for. */
export const budgetKs = [1, 10, 100, 1000, 10_000] as const;
export const budgetRecalls = [0.8, 0.85, 0.9, 0.925, 0.95, 0.965, 0.98, 0.99] as const;

export interface Budget {
  readonly leaves: number;
  readonly candidates: number;
}

/**
 * What a query needs of a segment to find k neighbours at a recall: leaves as learned for the next larger k and recall; candidates likewise, between two
 * k in proportion to log k, which is more than a power of k would be. Beyond what was learned: all leaves.
 */
export function budgetOf(budgets: IvfBudgets, recall: number, k: number): Budget {
  const { ks, recalls, leaves, candidates } = budgets;
  assert(candidates.length === ks.length * recalls.length, 'budgets have an entry for each k and recall');
  const column = recalls.findIndex((learned) => learned >= recall - 1e-9);
  const row = ks.findIndex((learned) => learned >= k);
  if (row < 0) {
    const share = (candidates.at(-1) as number) / (ks.at(-1) as number);
    return { leaves: allLeaves, candidates: Math.ceil(k * share) };
  }
  const shown = column < 0 ? recalls.length - 1 : column;
  const high = candidates[row * recalls.length + shown] as number;
  const low = row === 0 ? high : (candidates[(row - 1) * recalls.length + shown] as number);
  const [before, after] = [ks[row - 1] ?? 0, ks[row] as number];
  const weight = row === 0 ? 1 : Math.log(k / before) / Math.log(after / before);
  return {
    leaves: column < 0 ? allLeaves : (leaves[row * recalls.length + column] as number),
    candidates: Math.max(k, Math.ceil(low + (Math.max(low, high) - low) * weight)),
  };
}

/** Stands for "every leaf there is". */
export const allLeaves = 0xffffffff;

/** Budgets that nothing was learned for: all leaves, and four candidates for each neighbour where codes are inexact. */
export function unlearnedBudgets(leafCount: number, exact: boolean): IvfBudgets {
  const count = budgetKs.length * budgetRecalls.length;
  return {
    ks: budgetKs,
    recalls: budgetRecalls,
    leaves: new Uint32Array(count).fill(leafCount),
    candidates: Uint32Array.from({ length: count }, (_, i) => {
      const k = budgetKs[Math.floor(i / budgetRecalls.length)] as number;
      return exact ? k : Math.max(k + 100, 4 * k);
    }),
  };
}
