import type { Bitmap } from '@lagoon/format';
import type { Clusters } from '@lagoon/segment';
import type { NearestLeaves } from '@lagoon/vector';
import { budgetFor } from './ann-budget.ts';
import { countBitsBetween } from './bit-count.ts';
import { rowCountOf, startOf } from './opened-lists.ts';

/** One segment's lists with the rows that may be answered. */
export interface IndexedRows {
  readonly clusters: Clusters;
  /** Admitted positions; undefined: all. */
  readonly admitted: Bitmap | undefined;
  /** How many they are; above 0. */
  readonly matchCount: number;
  /** Of a row's code, and of its vector. */
  readonly codeBytes: number;
  readonly rowBytes: number;
}

/**
 * How the lists of all segments are searched, as one: exactly over the matching rows; by the nearest leaves; or by the codes of
 * all matching rows. The reason is for people.
 */
export type AnnAccess =
  | { readonly kind: 'exact'; readonly reason: string }
  | {
      readonly kind: 'probe' | 'scan';
      readonly reason: string;
      readonly candidateCount: number;
      /** Nearest leaves that are visited, from the first on, where they have matching rows. */
      readonly visitedCount: number;
      /** Matching rows in them. */
      readonly rowCount: number;
    };

/** What was learned for the k and the recall, summed over segments: their leaves, and rows, compete for one budget. */
interface AnnBudget {
  readonly leafCount: number;
  readonly candidateCount: number;
  /** Leaves per segment. */
  readonly leafCounts: readonly number[];
}

/** Most candidates of one query. */
const candidateCountMax = 20_000;

/**
 * `nearest` gives the nearest leaves of all segments by distance, so many or all, and is not asked where exact search is cheaper. Its last
 * answer is what `visitedCount` counts in.
 */
export function planAnn(
  rows: readonly IndexedRows[],
  limit: number,
  recall: number,
  nearest: (leavesMax?: number) => NearestLeaves,
): AnnAccess {
  const budget = sumBudgets(rows, limit, recall);
  const matchCount = sum(rows, (one) => one.matchCount);
  if (matchCount <= limit) return { kind: 'exact', reason: 'no more matches than rows asked for' };
  if (sum(rows, exactBytes) <= probeBytes(rows, budget)) return { kind: 'exact', reason: 'few matches' };
  if (rows.every(({ admitted }) => admitted === undefined)) {
    const leaves = nearest(budget.leafCount);
    const visitedCount = leaves.leaves.length;
    let rowCount = 0;
    for (let i = 0; i < visitedCount; i++) rowCount += leafAt(rows, leaves, i).rowCount;
    const { candidateCount } = budget;
    if (rowCount >= limit) return { kind: 'probe', reason: 'learned budget', candidateCount, visitedCount, rowCount };
  }
  return visitLeaves(rows, nearest(), budget, limit, matchCount);
}

function sumBudgets(rows: readonly IndexedRows[], limit: number, recall: number): AnnBudget {
  const leafCounts: number[] = [];
  let candidateCount = 0;
  const matchCount = sum(rows, (one) => one.matchCount);
  for (const { clusters, matchCount: own } of rows) {
    const { leaves, candidates } = budgetFor(clusters, shareOfAnswer(limit, own / matchCount), recall);
    leafCounts.push(leaves);
    candidateCount += candidates;
  }
  const leafCount = leafCounts.reduce((total, count) => total + count, 0);
  const wanted = Math.max(candidateCount, 2 * limit);
  return { leafCount, leafCounts, candidateCount: Math.min(wanted, candidateCountMax) };
}

/**
 * The k whose budget a segment with this share of the matches needs: how far down in its own order an answered row of it stands on average, one that is there and its part
 * of the others. Recall falls with k ever more slowly, so the recall at the average k is no more than the average of the recalls.
 */
function shareOfAnswer(limit: number, share: number): number {
  return 1 + (limit - 1) * share;
}

function exactBytes({ matchCount, rowBytes }: IndexedRows): number {
  return matchCount * rowBytes;
}

/** Centroids, codes of the rows of an unfiltered probe, vectors of the candidates. */
function probeBytes(rows: readonly IndexedRows[], { leafCounts, candidateCount }: AnnBudget): number {
  let bytes = candidateCount * (rows[0]?.rowBytes ?? 0);
  for (const [index, { clusters, codeBytes }] of rows.entries()) {
    const leafCount = clusters.leafEnds.length;
    bytes += ((leafCounts[index] as number) * clusters.positionCount * codeBytes) / leafCount;
    bytes += leafCount * clusters.dims * 2;
  }
  return bytes;
}

/**
 * Leaves are visited by distance until as many matching rows were met as the budget has rows at all. Where the nearest leaves, or the
 * nearest of these, hold clearly less than their share of the matches, those lie where no budget was learned: then all codes are scanned.
 */
function visitLeaves(
  rows: readonly IndexedRows[],
  leaves: NearestLeaves,
  budget: AnnBudget,
  limit: number,
  matchCount: number,
): AnnAccess {
  const { candidateCount } = budget;
  const all = (reason: string): AnnAccess => ({
    kind: 'scan',
    reason,
    candidateCount,
    visitedCount: leaves.leaves.length,
    rowCount: matchCount,
  });
  let budgetRows = 0;
  let budgetMatches = 0;
  let isShort = false;
  const share = matchCount / sum(rows, ({ clusters }) => clusters.positionCount);
  const leafCount = Math.min(budget.leafCount, leaves.leaves.length);
  for (let i = 0, lookAt = Math.ceil(leafCount / 8); i < leafCount; i++) {
    const { rowCount, matches } = leafAt(rows, leaves, i);
    budgetRows += rowCount;
    budgetMatches += matches;
    if (i + 1 < lookAt && i + 1 < leafCount) continue;
    isShort ||= lacksMatches(budgetMatches, budgetRows, share);
    lookAt *= 2;
  }
  const nearShare = budgetRows === 0 ? 0 : budgetMatches / budgetRows;
  if (isShort || budgetMatches < (budgetRows * share) / 2) return all('matches are far from the query');
  const wanted = Math.max(limit, Math.ceil(budgetRows / Math.min(1, nearShare / share)));
  if (wanted >= matchCount) return all('the budget covers all matches');
  let rowCount = 0;
  let visitedCount = 0;
  while (visitedCount < leaves.leaves.length && (rowCount < wanted || visitedCount < budget.leafCount)) {
    rowCount += leafAt(rows, leaves, visitedCount).matches;
    visitedCount++;
  }
  return { kind: 'probe', reason: 'learned budget', candidateCount, visitedCount, rowCount };
}

/** Less than nine tenths of what a random choice would give, and three standard deviations below it. */
function lacksMatches(matches: number, rowCount: number, share: number): boolean {
  const expected = rowCount * share;
  return matches < 0.9 * expected && expected - matches > 3 * Math.sqrt(expected * (1 - share));
}

function leafAt(rows: readonly IndexedRows[], { blocks, leaves }: NearestLeaves, index: number) {
  const { clusters, admitted } = rows[blocks[index] as number] as IndexedRows;
  const leaf = leaves[index] as number;
  const start = startOf(clusters, leaf);
  const rowCount = rowCountOf(clusters, leaf);
  const matches = admitted === undefined ? rowCount : countBitsBetween(admitted, start, start + rowCount);
  return { rowCount, matches };
}

function sum<T>(items: readonly T[], amountOf: (item: T) => number): number {
  return items.reduce((total, item) => total + amountOf(item), 0);
}
