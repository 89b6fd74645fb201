import { inverseNorm } from '@lagoon/vector';
import { columnOf } from './evaluate-filter.ts';
import {
  countAdmitted,
  createIdOrder,
  type JobBlock,
  memoryIndexOf,
  type SearchOutcome,
  withValue,
} from './job-block.ts';
import type { RankPlan } from './query-plan.ts';
import type { SearchContext } from './search-context.ts';
import { createTopRows } from './top-rows.ts';

type VectorPlan = Extract<RankPlan, { readonly kind: 'vector' }>;

/** The nearest admitted rows that have the vector, by an exact scan of every block; each block's bound tightens the next. */
export function rankByVector(
  context: SearchContext,
  plan: VectorPlan,
  limit: number,
  blocks: readonly JobBlock[],
): SearchOutcome {
  const top = createTopRows(limit, createIdOrder(blocks));
  const queryInverseNorm = plan.metric === 'cosine_distance' ? inverseNorm(plan.query) : 0;
  const type = { kind: 'vector', element: 'f32', dims: plan.query.length } as const;
  let scoredRowCount = 0;
  for (const [index, { location, block, admitted }] of blocks.entries()) {
    const column = columnOf(block, plan.attribute, type);
    if (column?.kind !== 'vector') continue;
    const rows = withValue(block, admitted, column.nulls);
    const rowCount = countAdmitted(block, rows);
    if (rowCount === 0) continue;
    scoredRowCount += rowCount;
    const found = context.scanVectors(memoryIndexOf(location, plan.attribute), column, {
      metric: plan.metric,
      query: plan.query,
      queryInverseNorm,
      k: limit,
      distanceBound: top.scoreBound,
      rowCount: block.rowCount,
      admitted: rows,
      withTies: block.ranks !== undefined,
    });
    for (let i = 0; i < found.rows.length; i++) {
      top.offer(found.distances[i] as number, index, found.rows[i] as number);
    }
  }
  return { top: top.takeSorted(), scoredRowCount };
}
