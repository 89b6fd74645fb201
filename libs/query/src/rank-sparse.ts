import { corrupt } from '@lagoon/base';
import { createFullBitmap, getBit, type SparseEntry, setBit } from '@lagoon/format';
import { createListCursor, gainOfRow, type ListCursor, type SparseIndex, type SparseList } from '@lagoon/text';
import { columnOf } from './column-filter.ts';
import { createHeapSink } from './heap-sink.ts';
import { createIdOrder, type JobBlock, type SearchOutcome, withValue } from './job-block.ts';
import type { RankPlan } from './query-plan.ts';
import type { SearchContext } from './search-context.ts';
import { createTopRows, negated, type TopRowsHeap } from './top-rows.ts';

type SparsePlan = Extract<RankPlan, { readonly kind: 'sparse' }>;

interface SparseBlock {
  readonly job: JobBlock;
  readonly position: number;
  readonly lists: readonly WeightedList[];
  /** Admitted rows that have a vector; undefined: all. */
  readonly rows: Uint8Array | undefined;
}

interface WeightedList {
  readonly list: SparseList;
  /** > 0: the sign of the query's weight is in the list. */
  readonly weight: number;
}

const sparseType = { kind: 'array', scalar: 'entry' } as const;

/**
 * Rows that have a sparse vector by its dot product with the query, highest first; f64, summed in the order of dimensions. Rows
 * above 0 come by MaxScore. Where these are fewer than asked for, the others follow: rows without a common dimension (0), then
 * those below.
 */
export function rankBySparse(
  context: SearchContext,
  plan: SparsePlan,
  limit: number,
  blocks: readonly JobBlock[],
): SearchOutcome {
  const order = createIdOrder(blocks);
  const top = createTopRows(limit, order);
  const { maxScore } = context;
  const opened = blocks.flatMap((job, position) => openSparseBlock(context, plan, job, position) ?? []);
  let scoredRowCount = 0;
  for (const block of opened) {
    const { job, position, lists, rows } = block;
    const exact = cursorsOf(lists);
    const isPlain = lists.every(({ list }) => !list.hasNegative);
    const sink = createHeapSink(top, order, { job, position, isExact: false, scoreAt: (row) => dot(exact, row) });
    if (isPlain) scoredRowCount += maxScore.collect(cursorsOf(lists), job.block.rowCount, rows, sink);
    else scoredRowCount += forEachHolder(block, (row) => sink.offer(row));
  }
  if (top.worst === undefined) for (const block of opened) scoredRowCount += offerRest(block, top);
  return { top: negated(top.takeSorted()), scoredRowCount, exhaustiveRowCount: 0 };
}

export function openSparseBlock(
  context: SearchContext,
  { attribute, query }: SparsePlan,
  job: JobBlock,
  position: number,
): SparseBlock | undefined {
  const { block, location, admitted } = job;
  const column = columnOf(block, attribute, sparseType);
  if (column === undefined || block.rowCount === 0) return undefined;
  if (column.kind !== 'array' || column.elements.scalar !== 'entry') {
    throw corrupt('column of sparse vectors holds something else', { attribute });
  }
  const { rowOffsets, elements } = column;
  const index = context.sparseIndexes.indexOf(`${location.contentId}\n${attribute}`, {
    ...{ rowCount: block.rowCount, rowOffsets, entries: elements.values },
  });
  return { job, position, lists: listsOf(index, query), rows: withValue(block, admitted, column.nulls) };
}

function listsOf(index: SparseIndex, query: readonly SparseEntry[]): WeightedList[] {
  return query.flatMap(({ dimension, weight }) => {
    const list = weight === 0 ? undefined : index.list(dimension, weight < 0);
    return list === undefined ? [] : [{ list, weight: Math.abs(weight) }];
  });
}

export function cursorsOf(lists: readonly WeightedList[]): ListCursor[] {
  return lists.map(({ list, weight }) => createListCursor(list, weight));
}

export function dot(cursors: readonly ListCursor[], row: number): number {
  let sum = 0;
  for (const cursor of cursors) sum += cursor.weight * gainOfRow(cursor, row);
  return sum;
}

/** Calls back with the rows that share a dimension with the query, ascending; how many they are. */
function forEachHolder({ job, lists, rows }: SparseBlock, visit: (row: number) => void): number {
  const holders = holdersOf(job.block.rowCount, lists);
  let count = 0;
  for (let row = 0; row < job.block.rowCount; row++) {
    if (!getBit(holders, row) || (rows !== undefined && !getBit(rows, row))) continue;
    count++;
    visit(row);
  }
  return count;
}

function holdersOf(rowCount: number, lists: readonly WeightedList[]): Uint8Array {
  const holders = createFullBitmap(rowCount).fill(0);
  for (const { list } of lists) for (const row of list.rows) setBit(holders, row);
  return holders;
}

/** Rows that score 0 or less; those above are in the heap, for it never was full. */
function offerRest({ job, position, lists, rows }: SparseBlock, top: TopRowsHeap): number {
  const { rowCount } = job.block;
  const holders = holdersOf(rowCount, lists);
  const cursors = cursorsOf(lists);
  let count = 0;
  for (let row = 0; row < rowCount; row++) {
    if (rows !== undefined && !getBit(rows, row)) continue;
    const score = getBit(holders, row) ? dot(cursors, row) : 0;
    if (score > 0) continue;
    count++;
    top.offer(0 - score, position, row);
  }
  return count;
}
