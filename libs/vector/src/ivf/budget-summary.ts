import { budgetKs, budgetRecalls } from './budgets.ts';
import type { IvfBudgets } from './contract.ts';

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

/** z of a one-sided 99 % bound. */
const confidence = 2.326;
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

/** Candidates that lose at most a tenth of what the recall may lose. */
function candidatesFor(ranks: Uint32Array, k: number, recall: number): number {
  const last = ranks[Math.min(ranks.length - 1, Math.ceil(ranks.length * (1 - (1 - recall) / 10)))] ?? 0;
  return Math.max(k, Math.min(rankedCount(k + 1), last + 1));
}

/** The fewest leaves whose recall is, with 99 % confidence, the target and a margin; else all that find anything. */
function leavesFor(asked: readonly Asked[], candidates: number, recall: number, leafCount: number): number {
  const target = recall + Math.min(margin, (1 - recall) / 2);
  const everything = meanRecall(asked, candidates, leafCount);
  let low = 0;
  let high = leafCount; // enough, or all
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const { lower, mean } = meanRecall(asked, candidates, middle);
    if (lower >= target || mean >= everything.mean) high = middle;
    else low = middle;
  }
  return high;
}

/** With one more query that found nothing: a bound from few queries that all found all is below 1. */
function meanRecall(asked: readonly Asked[], candidates: number, leaves: number): { mean: number; lower: number } {
  let sum = 0;
  let squares = 0;
  for (const { leafRanks, codeRanks } of asked) {
    let found = 0;
    for (let i = 0; i < leafRanks.length; i++) {
      if ((leafRanks[i] as number) < leaves && (codeRanks[i] as number) < candidates) found++;
    }
    const recall = leafRanks.length === 0 ? 1 : found / leafRanks.length;
    sum += recall;
    squares += recall * recall;
  }
  const count = asked.length + 1;
  const mean = sum / count;
  const deviation = Math.sqrt(Math.max(0, squares / count - mean * mean));
  return { mean, lower: mean - (confidence * deviation) / Math.sqrt(count) };
}
