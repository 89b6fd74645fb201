import { createIdOrder, type JobBlock, type SearchOutcome } from './job-block.ts';
import type { RankPlan } from './query-plan.ts';
import { rankByAnn } from './rank-ann.ts';
import { scanRows, targetOf } from './scan-rows.ts';
import type { SearchContext } from './search-context.ts';
import type { SearchTrace } from './search-trace.ts';
import { createTopRows } from './top-rows.ts';

type VectorPlan = Extract<RankPlan, { readonly kind: 'vector' }>;

/** The nearest admitted rows that have the vector: by lists where the plan allows it and segments have some, else by an exact scan. */
export function rankByVector(
  context: SearchContext,
  plan: VectorPlan,
  limit: number,
  blocks: readonly JobBlock[],
  trace: SearchTrace,
): SearchOutcome {
  const top = createTopRows(limit, createIdOrder(blocks));
  const target = targetOf(plan);
  if (plan.recall !== undefined) return rankByAnn({ context, target, limit, top, trace }, plan.recall, blocks);
  let scoredRowCount = 0;
  for (const [position, block] of blocks.entries()) {
    scoredRowCount += scanRows({ context, target, limit, top, trace }, block, position, 'exact query');
  }
  return { top: top.takeSorted(), scoredRowCount };
}
