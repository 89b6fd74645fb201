import { alignUp, assert } from '@lagoon/base';
import { nextBit, vectorElementBytes } from '@lagoon/format';
import type { NearestLeaves } from '@lagoon/vector';
import { type AnnAccess, type IndexedRows, planAnn } from './ann-plan.ts';
import { countBitsBetween } from './bit-count.ts';
import { inverseNormsOf } from './inverse-norms.ts';
import { createIdOrder, type JobBlock, type SearchOutcome } from './job-block.ts';
import { type OpenedLists, rowCountOf, startOf } from './opened-lists.ts';
import type { LeafChoice, PieceCandidates, PieceStep, VisitedLeaves } from './piece-step.ts';
import {
  type IndexedBlock,
  leafCountOf,
  leavesOf,
  listsOf,
  metricOf,
  positionsByBlock,
  rerank,
  rowBasesOf,
  visitedLists,
} from './rank-ann.ts';
import { scanRows, type VectorSearch, type VectorTarget } from './scan-rows.ts';
import type { SearchContext } from './search-context.ts';
import type { StoredPlace } from './stored-segment.ts';
import { createTopRows, noRankedRows } from './top-rows.ts';

/** A cold block with its leaves. */
interface ColdBlock extends IndexedRows {
  readonly position: number;
  readonly job: JobBlock;
  readonly lists: OpenedLists;
}

type Indexed = { readonly cold: ColdBlock } | { readonly warm: IndexedBlock };

type Listed = Exclude<AnnAccess, { readonly kind: 'exact' }>;

/** More rows than that are not read one by one. */
const exactRowCountMax = 2_000;

/** The leaves that one budget for all blocks reaches, or the rows where they are few. */
export function chooseLeaves(
  search: Omit<VectorSearch, 'top'>,
  recall: number,
  cold: readonly boolean[],
  blocks: readonly JobBlock[],
): SearchOutcome {
  const indexed = indexedOf(search, cold, blocks).filter((one) => rowsOf(one).matchCount > 0);
  const coldMatchCount = indexed.reduce((sum, one) => sum + ('cold' in one ? one.cold.matchCount : 0), 0);
  const choice = { ...choose(search, recall, indexed, blocks.length), coldMatchCount };
  return { top: noRankedRows, scoredRowCount: 0, pieces: { choice } };
}

function choose(
  { context, target, limit }: Omit<VectorSearch, 'top'>,
  recall: number,
  indexed: readonly Indexed[],
  blockCount: number,
): Omit<LeafChoice, 'coldMatchCount'> {
  const visited = new Array<VisitedLeaves | undefined>(blockCount).fill(undefined);
  if (indexed.length === 0) return { access: { kind: 'exact', reason: 'no row matches' }, visited };
  const rows = indexed.map(rowsOf);
  let nearest: NearestLeaves | undefined;
  const nearestLeaves = (leavesMax = leafCountOf(rows)): NearestLeaves => {
    const query = new Float32Array(target.query);
    nearest = context.listScorer.nearestLeaves({ ...metricOf(target), query, leavesMax }, rows.map(leavesOf));
    return nearest;
  };
  const access = planAnn(rows, limit, recall, nearestLeaves);
  if (access.kind === 'exact') {
    for (const one of indexed) if ('cold' in one) visited[one.cold.position] = matchingRows(one.cold);
    return { access, visited };
  }
  const leaves = nearest ?? nearestLeaves();
  for (const [index, one] of rows.entries()) visited[one.position] = visitedOf(one, leaves, index, access.visitedCount);
  return { access, visited };
}

function rowsOf(indexed: Indexed): ColdBlock | IndexedBlock {
  return 'cold' in indexed ? indexed.cold : indexed.warm;
}

/** All blocks that have lists, in their order. */
function indexedOf(
  { context, target }: Omit<VectorSearch, 'top'>,
  cold: readonly boolean[],
  blocks: readonly JobBlock[],
): readonly Indexed[] {
  return blocks.flatMap((block, position): Indexed[] => {
    if (cold[position] === true) return [{ cold: coldBlockOf(context, target, block, position) }];
    const warm = listsOf(context, target, block, position);
    return warm === undefined ? [] : [{ warm }];
  });
}

function coldBlockOf(
  context: SearchContext,
  { attribute, metric, type }: VectorTarget,
  job: JobBlock,
  position: number,
): ColdBlock {
  const stored = job.location.segment?.lists.find((one) => one.attribute === attribute);
  assert(stored !== undefined, 'the leaves of a cold block are in memory');
  const lists = context.openLists(job.location, stored);
  const { clusters, codeStarts } = lists;
  assert(clusters.metric === metric && clusters.dims === type.dims, 'cold blocks are of the metric that is asked for');
  const admitted = lists.positionsOf(job.admitted);
  const { positionCount } = clusters;
  const matchCount = admitted === undefined ? positionCount : countBitsBetween(admitted, 0, positionCount);
  const rowBytes = vectorElementBytes(type.element) * type.dims;
  const codeBytes = codeStarts === undefined ? rowBytes : (codeStarts.at(-1) ?? 0) / Math.max(1, positionCount);
  return { position, job, lists, clusters, admitted, matchCount, codeBytes, rowBytes };
}

function matchingRows({ admitted, lists, clusters, matchCount }: ColdBlock): VisitedLeaves | undefined {
  if (matchCount > exactRowCountMax) return undefined;
  const rows = new Uint32Array(matchCount);
  let count = 0;
  if (admitted === undefined) {
    for (let position = 0; position < clusters.positionCount; position++) rows[count++] = lists.rowOf(position);
  } else {
    for (let at = nextBit(admitted, 0); at >= 0 && count < matchCount; at = nextBit(admitted, at + 1)) {
      rows[count++] = lists.rowOf(at);
    }
  }
  const none = new Uint32Array(0);
  return { leaves: none, distances: new Float32Array(0), froms: none, tos: none, codes: undefined, rows };
}

/** Those of one block among the nearest leaves, without those where no row matches. */
function visitedOf(
  { admitted, lists, clusters }: Pick<ColdBlock, 'admitted' | 'lists' | 'clusters'>,
  { blocks, leaves, distances }: NearestLeaves,
  index: number,
  count: number,
): VisitedLeaves | undefined {
  const found: number[] = [];
  const leafDistances: number[] = [];
  for (let i = 0; i < count; i++) {
    if (blocks[i] !== index) continue;
    const leaf = leaves[i] as number;
    const start = startOf(clusters, leaf);
    if (admitted !== undefined && countBitsBetween(admitted, start, start + rowCountOf(clusters, leaf)) === 0) continue;
    found.push(leaf);
    leafDistances.push(distances[i] as number);
  }
  if (found.length === 0) return undefined;
  const { codeStarts } = lists;
  const codes =
    codeStarts && found.map((leaf) => ({ start: codeStarts[leaf] as number, end: codeStarts[leaf + 1] as number }));
  return {
    leaves: Uint32Array.from(found),
    distances: Float32Array.from(leafDistances),
    froms: Uint32Array.from(found, (leaf) => startOf(clusters, leaf)),
    tos: Uint32Array.from(found, (leaf) => clusters.leafEnds[leaf] as number),
    codes,
    rows: undefined,
  };
}

/** The best rows of what is in memory, by exact distances, and the candidates of the cold blocks. */
export function scorePieces(
  search: VectorSearch,
  { cold, choice, pieces }: Extract<PieceStep, { readonly kind: 'score' }>,
  blocks: readonly JobBlock[],
): SearchOutcome {
  const { top, trace } = search;
  const { access, visited } = choice;
  const indexed = indexedOf(search, cold, blocks);
  const listed = new Set(indexed.map((one) => rowsOf(one).position));
  let scannedRowCount = 0;
  const scan = (block: JobBlock, position: number, reason: string): void => {
    scannedRowCount += scanRows(search, block, position, reason);
  };
  for (const [position, block] of blocks.entries()) if (!listed.has(position)) scan(block, position, 'no lists');
  const candidates = new Array<PieceCandidates | undefined>(blocks.length).fill(undefined);
  if (access.kind === 'exact') {
    for (const one of indexed) {
      if ('warm' in one) scan(one.warm.job, one.warm.position, access.reason);
      const rows = visited[rowsOf(one).position]?.rows;
      if (rows === undefined) continue;
      candidates[rowsOf(one).position] = { rows, distances: undefined };
      scannedRowCount += rows.length;
    }
  } else {
    trace.add(access.kind, undefined, () => ({
      reason: access.reason,
      leaves: access.visitedCount,
      candidates: access.candidateCount,
      rows: access.rowCount,
    }));
    scoreLists(search, access, indexed, visited, pieces, candidates);
  }
  const listedRowCount = access.kind === 'exact' ? 0 : access.rowCount;
  return {
    top: top.takeSorted(),
    scoredRowCount: scannedRowCount + listedRowCount,
    exhaustiveRowCount: scannedRowCount,
    isExact: access.kind === 'exact',
    pieces: { candidates },
  };
}

function scoreLists(
  { context, target, top, trace }: VectorSearch,
  access: Listed,
  indexed: readonly Indexed[],
  visited: LeafChoice['visited'],
  pieces: readonly (readonly StoredPlace[])[],
  candidates: (PieceCandidates | undefined)[],
): void {
  const scorer = context.listScorer;
  const bases = rowBasesOf(indexed.map(rowsOf));
  scorer.begin({ ...metricOf(target), candidatesMax: access.candidateCount });
  for (const [index, one] of indexed.entries()) {
    const block = rowsOf(one);
    const leaves = visited[block.position];
    if (leaves === undefined) continue;
    const shared = {
      ...{ code: block.clusters.code, element: target.type.element, rowBase: bases[index] as number },
      ...(block.admitted === undefined ? {} : { positionMask: block.admitted }),
    };
    if ('warm' in one) {
      const nearest = { ...leaves, blocks: new Uint32Array(leaves.leaves.length) };
      scorer.score({ ...visitedLists(one.warm, nearest, 0, leaves.leaves.length), ...shared });
    } else {
      for (const lists of listsInPieces(one.cold, target, leaves, pieces[block.position] ?? [])) {
        scorer.score({ ...lists, ...shared });
      }
    }
  }
  const found = positionsByBlock(scorer.finish().numbers, bases);
  for (const [index, one] of indexed.entries()) {
    const positions = found[index] as readonly number[];
    const { position, clusters, matchCount } = rowsOf(one);
    const leaves = visited[position];
    trace.add(leaves === undefined ? 'skip' : access.kind, position, () => ({
      codec: clusters.code.codec,
      leaves: leaves?.leaves.length ?? 0,
      of_leaves: clusters.leafEnds.length,
      matching_rows: matchCount,
      reranked_rows: positions.length,
      read: 'cold' in one ? 'pieces' : 'memory',
    }));
    if ('warm' in one) rerank(scorer, target, one.warm, positions, top);
    else if (leaves !== undefined && positions.length > 0) {
      const distances =
        leaves.codes === undefined
          ? distancesInPieces(context, target, leaves, pieces[position] ?? [], positions)
          : undefined;
      candidates[position] = { rows: Uint32Array.from(positions, one.cold.lists.rowOf), distances };
    }
  }
}

/** The pieces of a block's lists, by the memories in which they lie. */
function listsInPieces(
  { rowBytes, clusters }: ColdBlock,
  { metric }: VectorTarget,
  { froms, tos, distances, codes }: VisitedLeaves,
  pieces: readonly StoredPlace[],
) {
  const memories = [...new Set(pieces.map(({ memoryIndex }) => memoryIndex))];
  return memories.map((memoryIndex) => {
    const lists = pieces.flatMap((piece, i) => (piece.memoryIndex === memoryIndex ? [i] : []));
    const pick = (values: Uint32Array): Uint32Array => Uint32Array.from(lists, (i) => values[i] as number);
    const starts = pick(froms);
    const rowCounts = pick(tos).map((to, i) => to - (starts[i] as number));
    const offsets = Uint32Array.from(lists, (i) => pieces[i]?.offset ?? 0);
    const hasNorms = codes === undefined && clusters.metric === 'cosine_distance' && metric === 'cosine_distance';
    return {
      ...{ memoryIndex, starts, rowCounts, offsets },
      leafDistances: Float32Array.from(lists, (i) => distances[i] as number),
      ...(hasNorms
        ? { inverseNormOffsets: offsets.map((offset, i) => offset + normsOffset(rowCounts[i] as number, rowBytes)) }
        : {}),
    };
  });
}

/** Of vectors in a piece: behind them, where the metric wants them, lie their inverse norms, f32 each. */
export function normsOffset(rowCount: number, rowBytes: number): number {
  return alignUp(rowCount * rowBytes, 16);
}

function distancesInPieces(
  context: SearchContext,
  target: VectorTarget,
  { froms, tos }: VisitedLeaves,
  pieces: readonly StoredPlace[],
  positions: readonly number[],
): Float32Array {
  const rowBytes = vectorElementBytes(target.type.element) * target.type.dims;
  const distances = new Float32Array(positions.length);
  const byPiece = new Map<number, number[]>();
  for (const [at, position] of positions.entries()) {
    const piece = froms.findIndex((from, i) => position >= from && position < (tos[i] as number));
    byPiece.set(piece, [...(byPiece.get(piece) ?? []), at]);
  }
  for (const [piece, ats] of byPiece) {
    const { memoryIndex, offset } = pieces[piece] as StoredPlace;
    const [from, to] = [froms[piece] as number, tos[piece] as number];
    const rows = Uint32Array.from(ats, (at) => (positions[at] as number) - from);
    const place = { memoryIndex, offset, size: (to - from) * rowBytes };
    const found = distancesAt(context, target, place, rows);
    for (const [i, at] of ats.entries()) distances[at] = found[i] as number;
  }
  return distances;
}

/** Exact distances of vectors that lie one behind the other at a place. */
export function compareVectors(
  context: SearchContext,
  target: VectorTarget,
  { place, rowCount }: Extract<PieceStep, { readonly kind: 'compare' }>,
): SearchOutcome {
  const rows = Uint32Array.from({ length: rowCount }, (_, row) => row);
  return { top: noRankedRows, scoredRowCount: 0, pieces: { distances: distancesAt(context, target, place, rows) } };
}

function distancesAt(
  context: SearchContext,
  target: VectorTarget,
  place: StoredPlace,
  rows: Uint32Array,
): Float32Array {
  const { element, dims } = target.type;
  const rowBytes = vectorElementBytes(element) * dims;
  const norms = inverseNormsOf(element, dims, context.bytesAt(place), rows);
  return context.listScorer.distancesOf({
    ...metricOf(target),
    element,
    memoryIndex: place.memoryIndex,
    offsets: rows.map((row) => place.offset + row * rowBytes),
    ...(target.metric === 'cosine_distance' ? { inverseNorms: norms } : {}),
  });
}

/** Runs a step over opened blocks. */
export function runPieceStep(
  search: Omit<VectorSearch, 'top'>,
  recall: number,
  step: Exclude<PieceStep, { readonly kind: 'compare' }>,
  blocks: readonly JobBlock[],
): SearchOutcome {
  if (step.kind === 'choose') return chooseLeaves(search, recall, step.cold, blocks);
  return scorePieces({ ...search, top: createTopRows(search.limit, createIdOrder(blocks)) }, step, blocks);
}
