import type { VectorType } from '@lagoon/format';
import { type DistanceMetric, inverseNorm } from '@lagoon/vector';
import { columnOf } from './column-filter.ts';
import { countAdmitted, type JobBlock, memoryIndexOf, withValue } from './job-block.ts';
import type { SearchContext } from './search-context.ts';
import type { SearchTrace } from './search-trace.ts';
import type { TopRowsHeap } from './top-rows.ts';

/** What rows are compared with. */
export interface VectorTarget {
  readonly attribute: string;
  readonly metric: DistanceMetric;
  readonly type: VectorType;
  /** Int8Array for rows of i8. */
  readonly query: Float32Array | Int8Array;
  readonly queryInverseNorm: number;
}

export function targetOf({
  attribute,
  metric,
  element,
  query,
}: Pick<VectorTarget, 'attribute' | 'metric' | 'query'> & Pick<VectorType, 'element'>): VectorTarget {
  const queryInverseNorm = metric === 'cosine_distance' ? inverseNorm(query) : 0;
  return { attribute, metric, type: { kind: 'vector', element, dims: query.length }, query, queryInverseNorm };
}

/** One query's search by vector. */
export interface VectorSearch {
  readonly context: SearchContext;
  readonly target: VectorTarget;
  readonly limit: number;
  readonly top: TopRowsHeap;
  readonly trace: SearchTrace;
}

/**
 * Offers the nearest admitted rows of a block that have the vector, by an exact scan; what the heap holds already bounds it.
 * Returns how many rows were compared. The reason is for people.
 */
export function scanRows(
  { context, target, limit, top, trace }: VectorSearch,
  { location, block, admitted }: JobBlock,
  position: number,
  reason: string,
): number {
  const column = columnOf(block, target.attribute, target.type);
  if (column?.kind !== 'vector') return 0;
  const rows = withValue(block, admitted, column.nulls);
  const rowCount = countAdmitted(block, rows);
  trace.add(rowCount === 0 ? 'skip' : 'scan_rows', position, () => ({ rows: rowCount, reason }));
  if (rowCount === 0) return 0;
  const found = context.scanVectors(memoryIndexOf(location, target.attribute), column, {
    metric: target.metric,
    query: target.query,
    queryInverseNorm: target.queryInverseNorm,
    k: limit,
    distanceBound: top.scoreBound,
    rowCount: block.rowCount,
    admitted: rows,
    withTies: block.ranks !== undefined,
  });
  for (let i = 0; i < found.rows.length; i++) {
    top.offer(found.distances[i] as number, position, found.rows[i] as number);
  }
  return rowCount;
}
