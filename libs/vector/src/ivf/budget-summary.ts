import { budgetKs, budgetRecalls } from './budgets.ts';
import type { IvfBudgets } from './contract.ts';
import { meanIsAbove } from './mean-bound.ts';

/** Neighbours that most queries ask for; every sixteenth asks for all that budgets are learned for. */
export const neighbourCount = 1000;
export const deepEvery = 16;

/** Candidates by code that are ranked for a query that asks for so many; what lies behind them counts as lost. */
export function rankedCount(k: number): number {
  return 2 * k + 1000;
}

/** Rank of a neighbour that is not among the ranked candidates. */
export const lostRank = 0xffffffff;

/** What became of the neighbours of one query, nearest first. */
export interface Asked {
  /** Rank of the neighbour's leaf among all leaves. */
  readonly leafRanks: Uint32Array;
  /** Its rank by code among all rows. */
  readonly codeRanks: Uint32Array;
}

/** What is added to the recall aimed at, for queries that are no rows. */
const margin = 0.02;

/** Budgets for every k and recall; `exact`: candidates are never lost. */
export function summarize(asked: readonly Asked[], leafCount: number, exact: boolean): IvfBudgets {
  const leaves: number[] = [];
  const candidates: number[] = [];
  for (const k of budgetKs) {
    const deep = asked.filter((_, query) => k <= neighbourCount || query % deepEvery === 0);
    const cut = deep.map((one) => ({
      leafRanks: one.leafRanks.subarray(0, k),
      codeRanks: one.codeRanks.subarray(0, k),
    }));
    const ranks = exact ? undefined : sortedRanks(cut);
    for (const recall of budgetRecalls) {
      const needed = ranks === undefined ? k : candidatesFor(ranks, k, recall);
      candidates.push(needed);
      leaves.push(leavesFor(cut, needed, recall, leafCount));
    }
  }
  return {
    ks: budgetKs,
    recalls: budgetRecalls,
    leaves: Uint32Array.from(leaves),
    candidates: Uint32Array.from(candidates),
  };
}

function sortedRanks(asked: readonly Asked[]): Uint32Array {
  const ranks = new Uint32Array(asked.reduce((sum, one) => sum + one.codeRanks.length, 0));
  let end = 0;
  for (const { codeRanks } of asked) {
    ranks.set(codeRanks, end);
    end += codeRanks.length;
  }
  return ranks.sort();
}

/** Candidates that lose at most a tenth of what the recall may lose; twice as many as are asked for cost little, and save leaves. */
function candidatesFor(ranks: Uint32Array, k: number, recall: number): number {
  const last = ranks[Math.min(ranks.length - 1, Math.ceil(ranks.length * (1 - (1 - recall) / 10)))] ?? 0;
  return Math.max(2 * k, Math.min(rankedCount(k + 1), last + 1));
}

/** The fewest leaves whose recall is, with 99 % confidence, the target and a margin; else all that find anything. */
function leavesFor(asked: readonly Asked[], candidates: number, recall: number, leafCount: number): number {
  const target = recall + Math.min(margin, (1 - recall) / 2);
  const everything = sumOf(recallsOf(asked, candidates, leafCount));
  let low = 0;
  let high = leafCount; // enough, or all
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const recalls = recallsOf(asked, candidates, middle);
    if (meanIsAbove(recalls, target) || sumOf(recalls) >= everything) high = middle;
    else low = middle;
  }
  return high;
}

/** Of each query. */
function recallsOf(asked: readonly Asked[], candidates: number, leaves: number): Float64Array {
  return Float64Array.from(asked, ({ leafRanks, codeRanks }) => {
    let found = 0;
    for (let i = 0; i < leafRanks.length; i++) {
      if ((leafRanks[i] as number) < leaves && (codeRanks[i] as number) < candidates) found++;
    }
    return leafRanks.length === 0 ? 1 : found / leafRanks.length;
  });
}

function sumOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
