import { type Bitmap, createFullBitmap, getBit, setBit } from '@lagoon/format';
import { createListCursor } from '@lagoon/text';
import { columnOf } from './column-filter.ts';
import { type ComputedValues, type JobBlock, memoryIndexOf, type SearchOutcome, withValue } from './job-block.ts';
import type { FoundRows, RankPlan, ScorePlan, ValuePlan } from './query-plan.ts';
import { cursorsOf, dot, openSparseBlock } from './rank-sparse.ts';
import { openLeaves } from './rank-text.ts';
import { targetOf } from './scan-rows.ts';
import { createScoreNode } from './score-node.ts';
import type { SearchContext } from './search-context.ts';
import type { TextLeaf } from './text-leaf.ts';
import { noRankedRows } from './top-rows.ts';

/** The found rows of one block, ascending: number `found[i]` of all is row `rows[i]`. */
interface FoundInBlock {
  readonly job: JobBlock;
  readonly position: number;
  readonly rows: readonly number[];
  readonly found: readonly number[];
}

/**
 * Distances, products and scores of rows that were found, by the steps that rank rows by them: what a row has here is what a query
 * that ranks by it answers, to the last bit.
 */
export function computeValues(
  context: SearchContext,
  { values, rows }: Extract<RankPlan, { readonly kind: 'values' }>,
  blocks: readonly JobBlock[],
): SearchOutcome {
  const parts = partsOf(rows, blocks);
  return {
    top: noRankedRows,
    scoredRowCount: values.length * rows.rows.length,
    values: values.map(({ of }) => {
      const computed = new Float64Array(rows.rows.length).fill(Number.NaN);
      computeOne(context, of, parts, blocks, computed);
      return computed;
    }),
  };
}

function computeOne(
  context: SearchContext,
  of: ValuePlan['of'],
  parts: readonly FoundInBlock[],
  blocks: readonly JobBlock[],
  computed: ComputedValues,
): void {
  switch (of.kind) {
    case 'vector':
      for (const part of parts) computeDistances(context, of, part, computed);
      return;
    case 'sparse':
      for (const part of parts) computeProducts(context, of, part, computed);
      return;
    case 'text': {
      const leaves = new Map<ScorePlan, TextLeaf>();
      openLeaves(context, of.score, blocks, leaves); // of all blocks: so are the statistics
      for (const part of parts) computeScores(of.score, leaves, part, computed);
    }
  }
}

function partsOf({ blocks: positions, rows }: FoundRows, blocks: readonly JobBlock[]): readonly FoundInBlock[] {
  const order = Array.from(rows, (_, i) => i);
  order.sort(
    (a, b) => (positions[a] as number) - (positions[b] as number) || (rows[a] as number) - (rows[b] as number),
  );
  const parts = new Map<number, { readonly rows: number[]; readonly found: number[] }>();
  for (const i of order) {
    const position = positions[i] as number;
    const part = parts.get(position) ?? { rows: [], found: [] };
    parts.set(position, part);
    part.rows.push(rows[i] as number);
    part.found.push(i);
  }
  return [...parts].map(([position, part]) => ({ job: blocks[position] as JobBlock, position, ...part }));
}

function computeDistances(
  context: SearchContext,
  plan: Extract<RankPlan, { readonly kind: 'vector' }>,
  { job: { block, location }, rows, found }: FoundInBlock,
  computed: ComputedValues,
): void {
  const target = targetOf(plan);
  const column = columnOf(block, target.attribute, target.type);
  if (column?.kind !== 'vector') return;
  const { metric, query, queryInverseNorm } = target;
  const near = context.scanVectors(memoryIndexOf(location, target.attribute), column, {
    ...{ metric, query, queryInverseNorm, k: rows.length, distanceBound: Infinity, rowCount: block.rowCount },
    admitted: withValue(block, bitmapOf(block.rowCount, rows), column.nulls),
    withTies: false,
  });
  const foundOf = new Map(rows.map((row, i) => [row, found[i] as number]));
  for (let i = 0; i < near.rows.length; i++) {
    computed[foundOf.get(near.rows[i] as number) as number] = near.distances[i] as number;
  }
}

function computeProducts(
  context: SearchContext,
  plan: Extract<RankPlan, { readonly kind: 'sparse' }>,
  { job, position, rows, found }: FoundInBlock,
  computed: ComputedValues,
): void {
  const sparse = openSparseBlock(context, plan, job, position);
  if (sparse === undefined) return;
  const cursors = cursorsOf(sparse.lists);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    if (sparse.rows !== undefined && !getBit(sparse.rows, row)) continue;
    computed[found[i] as number] = dot(cursors, row);
  }
}

function computeScores(
  score: ScorePlan,
  leaves: ReadonlyMap<ScorePlan, TextLeaf>,
  { job: { block, filterRows }, position, rows, found }: FoundInBlock,
  computed: ComputedValues,
): void {
  const node = createScoreNode(
    {
      ...{ block, position, leaves, filterRows, cursors: [], termBounds: [], createCursor: createListCursor },
      rangeOf: () => ({ lower: 0, upper: 0 }), // no bounds are asked for
    },
    score,
  );
  for (let i = 0; i < rows.length; i++) computed[found[i] as number] = node.valueAt(rows[i] as number);
}

function bitmapOf(rowCount: number, rows: readonly number[]): Bitmap {
  const bitmap = createFullBitmap(rowCount).fill(0);
  for (const row of rows) setBit(bitmap, row);
  return bitmap;
}
