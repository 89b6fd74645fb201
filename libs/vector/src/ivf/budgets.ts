import type { IvfBudgets } from './contract.ts';

/** What budgets are learned for. */
export const budgetKs = [1, 10, 100, 1000, 10_000] as const;
export const budgetRecalls = [0.8, 0.85, 0.9, 0.925, 0.95, 0.965, 0.98, 0.99] as const;

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
