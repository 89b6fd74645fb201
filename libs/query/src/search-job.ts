import { andInPlace, type Bitmap } from '@lagoon/format';
import { aggregate } from './aggregate.ts';
import { textOfBlock } from './block-text.ts';
import { computeValues } from './compute-values.ts';
import { evaluateFilter } from './evaluate-filter.ts';
import { createFilterContext, type FilterTarget } from './filter-context.ts';
import { evaluateIndexedFilter, type IndexedFilter, type IndexedFilterTarget } from './indexed-filter.ts';
import type { BlockLocation, SearchOutcome } from './job-block.ts';
import { type KnownIds, withKnownIds } from './known-ids.ts';
import type { PieceStep } from './piece-step.ts';
import type { FilterPlan, RankPlan } from './query-plan.ts';
import { rankByOrder } from './rank-order.ts';
import { compareVectors, runPieceStep } from './rank-pieces.ts';
import { rankBySparse } from './rank-sparse.ts';
import { rankByText } from './rank-text.ts';
import { rankByVector } from './rank-vector.ts';
import { targetOf } from './scan-rows.ts';
import type { SearchContext } from './search-context.ts';
import { createSearchTrace, noTrace, type SearchTrace } from './search-trace.ts';

/** One query on the blocks of one snapshot. Live rows have distinct ids over all blocks. */
export interface SearchJob {
  readonly rank: RankPlan;
  readonly filter: FilterPlan | undefined;
  readonly limit: number;
  readonly blocks: readonly BlockLocation[];
  /** Per block what was looked up of the filter in its indexes; undefined: nothing. */
  readonly indexed: readonly (IndexedFilter | undefined)[];
  /** Per block the ids of the only rows of it that can be met, where its ids are not in memory. */
  readonly known: readonly (KnownIds | undefined)[];
  /** One step of a search by pieces; undefined: the whole search. */
  readonly step?: PieceStep | undefined;
  /** Whether the outcome says what was done. */
  readonly traced: boolean;
}

/**
 * Runs a query on this thread: in a worker, or in line where there is none. Pure but for what the context keeps.
 * `checkCancelled` is called now and then and throws where nobody waits for the answer any more.
 */
export function runSearchJob(context: SearchContext, job: SearchJob, checkCancelled: () => void): SearchOutcome {
  if (!job.traced) return rankBlocks(context, job, noTrace, checkCancelled);
  const trace = createSearchTrace();
  const outcome = rankBlocks(context, job, trace, checkCancelled);
  return { ...outcome, trace: trace.lines };
}

function rankBlocks(
  context: SearchContext,
  job: SearchJob,
  trace: SearchTrace,
  checkCancelled: () => void,
): SearchOutcome {
  const { rank, step } = job;
  if (rank.kind === 'vector' && step?.kind === 'compare') return compareVectors(context, targetOf(rank), step);
  const { analyzerOf } = context.textIndexes;
  const filtering = createFilterContext({ analyzerOf, checkCancelled });
  const blocks = job.blocks.map((location, i) => {
    checkCancelled();
    const known = job.known[i];
    const opened = context.openBlock(location);
    const block = known === undefined ? opened : withKnownIds(opened, known);
    const textOf: FilterTarget['textOf'] = (attribute, settings) =>
      textOfBlock(context, location, block, attribute, settings)?.index;
    const target: FilterTarget = { block, textOf };
    const evaluate: IndexedFilterTarget['evaluate'] = (filter, within) =>
      evaluateFilter(filtering, target, filter, within);
    const indexTarget = { rowCount: block.rowCount, bytesAt: context.bytesAt, evaluate };
    const admitted = admittedRows(indexTarget, location.live, job.filter, job.indexed[i]);
    const filterRows = (filter: FilterPlan): Bitmap => evaluate(filter, admitted);
    return { location, block, admitted, filterRows };
  });
  if (rank.kind === 'vector' && step !== undefined && step.kind !== 'compare') {
    const search = { context, target: targetOf(rank), limit: job.limit, trace };
    return runPieceStep(search, rank.recall ?? 1, step, blocks);
  }
  switch (job.rank.kind) {
    case 'vector':
      return rankByVector(context, job.rank, job.limit, blocks, trace);
    case 'text':
      return rankByText(context, job.rank, job.limit, blocks);
    case 'sparse':
      return rankBySparse(context, job.rank, job.limit, blocks);
    case 'order':
      return rankByOrder(job.rank, job.limit, blocks);
    case 'aggregate':
      return aggregate(job.rank, job.limit, blocks);
    case 'values':
      return computeValues(context, job.rank, blocks);
  }
}

function admittedRows(
  target: IndexedFilterTarget,
  live: Bitmap | undefined,
  filter: FilterPlan | undefined,
  indexed: IndexedFilter | undefined,
): Bitmap | undefined {
  if (filter === undefined) return live;
  const rows = indexed === undefined ? target.evaluate(filter, live) : evaluateIndexedFilter(target, indexed, live);
  if (live !== undefined) andInPlace(rows, live);
  return rows;
}
