import { nextBit } from '@lagoon/format';
import { createListCursor, type ListCursor, type MaxScore } from '@lagoon/text';
import { collectByBounds } from './collect-by-bounds.ts';
import { createHeapSink } from './heap-sink.ts';
import { createIdOrder, type JobBlock, type SearchOutcome } from './job-block.ts';
import type { RankPlan, ScorePlan } from './query-plan.ts';
import { createScoreNode, rangeOfRows } from './score-node.ts';
import type { SearchContext } from './search-context.ts';
import { openTextLeaf, type TextLeaf } from './text-leaf.ts';
import { createTopRows, negated, type RowOrder, type TopRowsHeap } from './top-rows.ts';

type TextPlan = Extract<RankPlan, { readonly kind: 'text' }>;

interface Ranking {
  readonly context: SearchContext;
  readonly plan: ScorePlan;
  readonly leaves: ReadonlyMap<ScorePlan, TextLeaf>;
  /** The clauses of a plan that is a weighted sum of them; undefined for other plans. */
  readonly linear: readonly LinearClause[] | undefined;
  readonly maxScore: MaxScore;
  readonly top: TopRowsHeap;
  readonly order: RowOrder;
}

interface LinearClause {
  readonly plan: ScorePlan;
  readonly scale: number;
}

interface BlockCount {
  readonly scoredRowCount: number;
  readonly exhaustiveRowCount: number;
}

/**
 * Rows by a score expression, highest first, those that score above 0. Scores are f64 and taken in the order of the expression
 * and of its query terms, from statistics of the whole namespace: they do not depend on how rows are spread. Which rows are
 * looked at is decided by bounds, block by block: MaxScore for weighted sums of BM25 clauses, bounds of the whole expression for
 * others, and every row where these do not help.
 */
export function rankByText(
  context: SearchContext,
  { score: plan }: TextPlan,
  limit: number,
  blocks: readonly JobBlock[],
): SearchOutcome {
  const leaves = new Map<ScorePlan, TextLeaf>();
  openLeaves(context, plan, blocks, leaves);
  const order = createIdOrder(blocks);
  const top = createTopRows(limit, order);
  const ranking = { context, plan, leaves, linear: linearClauses(plan, 1), maxScore: context.maxScore, top, order };
  let scoredRowCount = 0;
  let exhaustiveRowCount = 0;
  for (const [position, block] of blocks.entries()) {
    const count = rankBlock(ranking, block, position);
    scoredRowCount += count.scoredRowCount;
    exhaustiveRowCount += count.exhaustiveRowCount;
  }
  return { top: negated(top.takeSorted()), scoredRowCount, exhaustiveRowCount };
}

export function openLeaves(
  context: SearchContext,
  plan: ScorePlan,
  blocks: readonly JobBlock[],
  leaves: Map<ScorePlan, TextLeaf>,
): void {
  if (plan.kind === 'bm25') leaves.set(plan, openTextLeaf(context, plan, blocks));
  else if ('parts' in plan) for (const part of plan.parts) openLeaves(context, part, blocks, leaves);
  else if ('part' in plan) openLeaves(context, plan.part, blocks, leaves);
}

function linearClauses(plan: ScorePlan, scale: number): readonly LinearClause[] | undefined {
  switch (plan.kind) {
    case 'bm25':
      return [{ plan, scale }];
    case 'product':
      return isPlain(scale * plan.factor) ? linearClauses(plan.part, scale * plan.factor) : undefined;
    case 'sum': {
      const clauses: LinearClause[] = [];
      for (const part of plan.parts) {
        const inner = linearClauses(part, scale);
        if (inner === undefined) return undefined;
        clauses.push(...inner);
      }
      return clauses;
    }
    default:
      return undefined;
  }
}

/** Far from where numbers lose digits. */
function isPlain(scale: number): boolean {
  return scale > 1e-100 && scale < 1e100;
}

function rankBlock(ranking: Ranking, job: JobBlock, position: number): BlockCount {
  const { context, plan, leaves, linear, maxScore, top, order } = ranking;
  const { block, location, admitted, filterRows } = job;
  if (block.rowCount === 0 || (admitted !== undefined && nextBit(admitted, 0) < 0)) return nothing;
  if (linear !== undefined && !linear.some((clause) => holdsTerm(leaves.get(clause.plan), position))) return nothing;
  const cursors: ListCursor[] = [];
  const termBounds: number[] = [];
  const root = createScoreNode(
    {
      ...{ block, position, leaves, filterRows, cursors, termBounds },
      createCursor: createListCursor,
      rangeOf: (attribute, valueAt) =>
        context.textLists.range(`${location.blockId} ${attribute}`, () => rangeOfRows(block.rowCount, valueAt)),
    },
    plan,
  );
  const sink = createHeapSink(top, order, {
    ...{ job, position },
    scoreAt: root.valueAt,
    isExact: plan.kind === 'bm25',
  });
  if (linear === undefined) {
    return collectByBounds({ root, cursors, termBounds, rowCount: block.rowCount, admitted, sink });
  }
  const scaled = linear.flatMap((clause) => scaledCursors(leaves.get(clause.plan), clause.scale, position));
  return { scoredRowCount: maxScore.collect(scaled, block.rowCount, admitted, sink), exhaustiveRowCount: 0 };
}

const nothing: BlockCount = { scoredRowCount: 0, exhaustiveRowCount: 0 };

function holdsTerm(leaf: TextLeaf | undefined, position: number): boolean {
  return leaf?.terms.some(({ lists }) => lists[position] !== undefined) ?? false;
}

/** Cursors of their own: they move ahead of those that compute exact scores. */
function scaledCursors(leaf: TextLeaf | undefined, scale: number, position: number): ListCursor[] {
  return (leaf?.terms ?? []).flatMap(({ weight, lists }) => {
    const list = lists[position];
    return list === undefined ? [] : [createListCursor(list, scale * weight)];
  });
}
