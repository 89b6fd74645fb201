import { vectorElementBytes } from '@lagoon/format';
import type { LeafBlock, ListScorer, NearestLeaves } from '@lagoon/vector';
import { type AnnAccess, type IndexedRows, planAnn } from './ann-plan.ts';
import { countBitsBetween } from './bit-count.ts';
import { columnOf } from './column-filter.ts';
import { type JobBlock, memoryIndexOf, type SearchOutcome } from './job-block.ts';
import { type OpenedLists, rowCountOf, startOf } from './opened-lists.ts';
import { scanRows, type VectorSearch, type VectorTarget } from './scan-rows.ts';
import type { SearchContext } from './search-context.ts';
import type { TopRowsHeap } from './top-rows.ts';

/** A segment with lists of the ranked column. */
export interface IndexedBlock extends IndexedRows {
  /** In the job's list. */
  readonly position: number;
  readonly job: JobBlock;
  readonly lists: OpenedLists;
  /** The full vectors. */
  readonly memoryIndex: number;
  readonly valuesOffset: number;
  readonly inverseNorms: Float32Array;
}

/**
 * The nearest admitted rows by lists: one budget for the leaves of all segments. Candidates are compared again by their vectors, with
 * the kernel of exact search, so an answered distance does not depend on how its row was found. Blocks without lists are
 * scanned beside them.
 */
export function rankByAnn(search: VectorSearch, recall: number, blocks: readonly JobBlock[]): SearchOutcome {
  const { context, target, limit, top, trace } = search;
  const indexed: IndexedBlock[] = [];
  let scannedRowCount = 0;
  for (const [position, block] of blocks.entries()) {
    const lists = listsOf(context, target, block, position);
    if (lists === undefined) scannedRowCount += scanRows(search, block, position, 'no lists');
    else if (lists.matchCount > 0) indexed.push(lists);
    else trace.add('skip', position, () => ({ reason: 'no row matches' }));
  }
  if (indexed.length === 0) return outcomeOf(top, scannedRowCount, 0, true);
  const scorer = context.listScorer;
  let nearest: NearestLeaves | undefined;
  const nearestLeaves = (leavesMax = leafCountOf(indexed)): NearestLeaves => {
    const query = new Float32Array(target.query);
    nearest = scorer.nearestLeaves({ ...metricOf(target), query, leavesMax }, indexed.map(leavesOf));
    return nearest;
  };
  const access = planAnn(indexed, limit, recall, nearestLeaves);
  if (access.kind === 'exact') {
    for (const { job, position } of indexed) scannedRowCount += scanRows(search, job, position, access.reason);
    return outcomeOf(top, scannedRowCount, 0, true);
  }
  visit(scorer, search, indexed, access, nearest ?? nearestLeaves());
  return outcomeOf(top, scannedRowCount, access.rowCount, false);
}

function outcomeOf(top: TopRowsHeap, scannedCount: number, listedCount: number, isExact: boolean): SearchOutcome {
  return {
    top: top.takeSorted(),
    scoredRowCount: scannedCount + listedCount,
    exhaustiveRowCount: scannedCount,
    isExact,
  };
}

/** The block's lists, where they are there and of the plan's metric. */
export function listsOf(
  context: SearchContext,
  { attribute, metric, type }: VectorTarget,
  job: JobBlock,
  position: number,
): IndexedBlock | undefined {
  const { location, block, admitted } = job;
  const stored = location.segment?.lists.find((one) => one.attribute === attribute);
  const column = columnOf(block, attribute, type);
  if (stored === undefined || column?.kind !== 'vector') return undefined;
  const lists = context.openLists(location, stored);
  const { clusters, codes, codeStarts } = lists;
  if ((codes === undefined) !== (codeStarts === undefined)) return undefined;
  if (clusters.metric !== metric || clusters.dims !== type.dims) return undefined;
  const positions = lists.positionsOf(admitted);
  const { positionCount } = clusters;
  const rowBytes = vectorElementBytes(type.element) * type.dims;
  return {
    position,
    job,
    lists,
    clusters,
    admitted: positions,
    matchCount: positions === undefined ? positionCount : countBitsBetween(positions, 0, positionCount),
    codeBytes: codes === undefined ? rowBytes : (stored.codes?.size ?? 0) / positionCount,
    rowBytes,
    memoryIndex: memoryIndexOf(location, attribute),
    valuesOffset: column.values.byteOffset,
    inverseNorms: column.inverseNorms,
  };
}

export function metricOf({ metric, query, queryInverseNorm }: VectorTarget) {
  return { metric, dims: query.length, query, queryInverseNorm };
}

export function leavesOf({ lists, clusters }: Pick<IndexedBlock, 'lists' | 'clusters'>): LeafBlock {
  const { memoryIndex, offset } = lists.centroids;
  return { memoryIndex, centroidsOffset: offset, leafCount: clusters.leafEnds.length };
}

export function leafCountOf(indexed: readonly IndexedRows[]): number {
  return indexed.reduce((count, { clusters }) => count + clusters.leafEnds.length, 0);
}

type ListAccess = Exclude<AnnAccess, { readonly kind: 'exact' }>;

/** Scores the lists of the visited leaves and offers the best candidates by their exact distances. */
function visit(
  scorer: ListScorer,
  { target, top, trace }: VectorSearch,
  indexed: readonly IndexedBlock[],
  access: ListAccess,
  nearest: NearestLeaves,
): void {
  const { kind, reason, candidateCount, rowCount } = access;
  trace.add(kind, undefined, () => ({
    reason,
    leaves: access.visitedCount,
    candidates: candidateCount,
    rows: rowCount,
  }));
  const bases = rowBasesOf(indexed);
  scorer.begin({ ...metricOf(target), candidatesMax: access.candidateCount });
  for (const [index, block] of indexed.entries()) {
    const lists = visitedLists(block, nearest, index, access.visitedCount);
    if (lists.starts.length === 0) continue;
    scorer.score({
      ...lists,
      code: block.clusters.code,
      element: target.type.element,
      rowBase: bases[index] as number,
      ...(block.admitted === undefined ? {} : { positionMask: block.admitted }),
    });
  }
  const found = positionsByBlock(scorer.finish().numbers, bases);
  for (const [index, block] of indexed.entries()) {
    const positions = found[index] as readonly number[];
    const leafCount = countVisited(nearest, index, access.visitedCount);
    trace.add(leafCount === 0 ? 'skip' : kind, block.position, () => ({
      codec: block.clusters.code.codec,
      leaves: leafCount,
      of_leaves: block.clusters.leafEnds.length,
      matching_rows: block.matchCount,
      reranked_rows: positions.length,
    }));
    rerank(scorer, target, block, positions, top);
  }
}

/** The candidates' numbers as positions of each block. */
export function positionsByBlock(numbers: Uint32Array, bases: readonly number[]): readonly (readonly number[])[] {
  const found: number[][] = bases.map(() => []);
  for (const number of numbers) {
    let index = bases.length - 1;
    while ((bases[index] as number) > number) index--;
    (found[index] as number[]).push(number - (bases[index] as number));
  }
  return found;
}

function countVisited({ blocks }: NearestLeaves, index: number, count: number): number {
  let visited = 0;
  for (let i = 0; i < count; i++) if (blocks[i] === index) visited++;
  return visited;
}

/** Numbers of candidates: the positions of all segments behind one another. */
export function rowBasesOf(indexed: readonly IndexedRows[]): number[] {
  let end = 0;
  return indexed.map(({ clusters }) => {
    const start = end;
    end += clusters.positionCount;
    return start;
  });
}

/** The lists of one segment among the nearest leaves, nearest first; those without a match are left out. */
export function visitedLists(
  block: IndexedBlock,
  { blocks, leaves, distances }: NearestLeaves,
  index: number,
  count: number,
) {
  const { clusters, lists, admitted } = block;
  const { codes, codeStarts } = lists;
  const starts: number[] = [];
  const rowCounts: number[] = [];
  const offsets: number[] = [];
  const inverseNormOffsets: number[] = [];
  const leafDistances: number[] = [];
  for (let i = 0; i < count; i++) {
    if (blocks[i] !== index) continue;
    const leaf = leaves[i] as number;
    const start = startOf(clusters, leaf);
    const rowCount = rowCountOf(clusters, leaf);
    if (admitted !== undefined && countBitsBetween(admitted, start, start + rowCount) === 0) continue;
    starts.push(start);
    rowCounts.push(rowCount);
    leafDistances.push(distances[i] as number);
    offsets.push(
      codes === undefined ? block.valuesOffset + start * block.rowBytes : codes.offset + (codeStarts?.[leaf] as number),
    );
    if (codes === undefined) inverseNormOffsets.push(block.inverseNorms.byteOffset + 4 * start);
  }
  return {
    memoryIndex: codes === undefined ? block.memoryIndex : codes.memoryIndex,
    starts: Uint32Array.from(starts),
    rowCounts: Uint32Array.from(rowCounts),
    offsets: Uint32Array.from(offsets),
    leafDistances: Float32Array.from(leafDistances),
    ...(codes === undefined && clusters.metric === 'cosine_distance'
      ? { inverseNormOffsets: Uint32Array.from(inverseNormOffsets) }
      : {}),
  };
}

export function rerank(
  scorer: ListScorer,
  target: VectorTarget,
  { position, lists, memoryIndex, valuesOffset, rowBytes, inverseNorms }: IndexedBlock,
  positions: readonly number[],
  top: TopRowsHeap,
): void {
  if (positions.length === 0) return;
  const count = positions.length;
  const rows = new Uint32Array(count);
  const offsets = new Uint32Array(count);
  const norms = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const row = lists.rowOf(positions[i] as number);
    rows[i] = row;
    offsets[i] = valuesOffset + row * rowBytes;
    norms[i] = inverseNorms[row] as number;
  }
  const distances = scorer.distancesOf({
    ...metricOf(target),
    element: target.type.element,
    memoryIndex,
    offsets,
    ...(target.metric === 'cosine_distance' ? { inverseNorms: norms } : {}),
  });
  for (let i = 0; i < rows.length; i++) top.offer(distances[i] as number, position, rows[i] as number);
}
