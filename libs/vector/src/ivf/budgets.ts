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
 * What a query needs of a segment to find k neighbours at a recall: the smallest learned budget that is for at least as many and at least
 * that recall. Candidates between two learned k are in proportion to k, by the larger share. Beyond what was learned: all leaves.
 */
export function budgetOf(budgets: IvfBudgets, recall: number, k: number): Budget {
  const { ks, recalls, leaves, candidates } = budgets;
  const column = recalls.findIndex((learned) => learned >= recall - 1e-9);
  const row = ks.findIndex((learned) => learned >= k);
  if (column < 0 || row < 0) return { leaves: allLeaves, candidates: Math.ceil(k * shareMax(budgets)) };
  const at = (index: number) => (candidates[index * recalls.length + column] as number) / (ks[index] as number);
  const share = Math.max(at(row), row === 0 ? 0 : at(row - 1));
  return { leaves: leaves[row * recalls.length + column] as number, candidates: Math.ceil(k * share) };
}

/** Stands for "every leaf there is". */
export const allLeaves = 0xffffffff;

function shareMax({ ks, recalls, candidates }: IvfBudgets): number {
  const last = ks.length - 1;
  const share = (candidates[candidates.length - 1] as number) / (ks[last] as number);
  assert(candidates.length === ks.length * recalls.length, 'budgets have an entry for each k and recall');
  return Math.max(1, share);
}

/** Budgets that nothing was learned for: all leaves, and four candidates for each neighbour where codes are inexact. */
export function unlearnedBudgets(exact: boolean): IvfBudgets {
  const count = budgetKs.length * budgetRecalls.length;
  return {
    ks: budgetKs,
    recalls: budgetRecalls,
    leaves: new Uint32Array(count).fill(allLeaves),
    candidates: Uint32Array.from({ length: count }, (_, i) => {
      const k = budgetKs[Math.floor(i / budgetRecalls.length)] as number;
      return exact ? k : Math.max(k + 100, 4 * k);
    }),
  };
}
