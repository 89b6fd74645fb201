import type { BlockCache } from '@lagoon/cache';
import { compareIds, type IdColumn, vectorElementBytes } from '@lagoon/format';
import { createPinList, type PinList } from './acquire-parts.ts';
import type { SearchOutcome } from './job-block.ts';
import { gatherIds, isSuperseded, type KnownIds } from './known-ids.ts';
import { namedIds } from './named-rows.ts';
import type { LeafChoice, PieceCandidates, PieceStep } from './piece-step.ts';
import { prepareSearch } from './prepare-search.ts';
import { usesIds } from './query-needs.ts';
import type { QueryPlan, RankPlan } from './query-plan.ts';
import { type Candidate, type ReadCandidates, readCandidates, requestCountMax } from './read-candidates.ts';
import type { HeldSnapshot } from './replica.ts';
import type { ResidentBlock } from './resident-block.ts';
import { rankOfRow } from './row-ranks.ts';
import type { SearchPool, SearchRequest } from './search-pool.ts';
import { createSharedHold, type SharedHold } from './shared-hold.ts';
import type { Snapshot } from './snapshot.ts';
import type { StoredPlace } from './stored-segment.ts';

/**
 * ANN over segments that are not in memory: of each its leaves, then the lists of the leaves that one budget for all reaches, then
 * vectors and ids of the candidates. Blocks that are in memory are searched beside them.
 *
 * Rows that the tail killed are told by their ids, which come last: such candidates are dropped, and where too few are left, or
 * less than half of them, the query is answered by what is loaded whole.
 */
export interface PieceSearchDeps {
  readonly pool: SearchPool;
  readonly cache: BlockCache;
  readonly nextId: () => number;
  readonly withRoom: <R>(load: () => Promise<R>) => Promise<R>;
  /** Segments that lack less are loaded whole. */
  readonly wholeBytesMax: number;
}

type VectorPlan = Extract<RankPlan, { readonly kind: 'vector' }>;

/** Undefined: the search is to be done with everything that it needs in memory. */
export async function searchByPieces(
  deps: PieceSearchDeps,
  held: HeldSnapshot,
  plan: QueryPlan,
  affinity: string | undefined,
  signal?: AbortSignal,
): Promise<SearchOutcome | undefined> {
  const { snapshot } = held;
  const { rank, filter, limit, traced } = plan;
  const cold = coldBlocks(snapshot, plan, deps.wholeBytesMax);
  if (cold.size === 0 || rank.kind !== 'vector') return undefined;
  const prepared = await prepareSearch(held, plan, deps.withRoom, signal, cold);
  const pins = createPinList();
  using hold = createSharedHold(prepared.hold, pins);
  const { indexed, known } = prepared;
  const run = async (step: PieceStep): Promise<SearchOutcome> => {
    const { locations: blocks, snapshotId } = snapshot;
    const request: SearchRequest = { rank, filter, indexed, known, step, limit, traced, blocks, snapshotId, affinity };
    return await deps.pool.run(request, hold.share(), signal);
  };
  const isCold = snapshot.blocks.map((block) => cold.has(block));
  const choice = (await run({ kind: 'choose', cold: isCold })).pieces?.choice;
  if (choice === undefined || !isWorth(choice, cold, rank)) return undefined;
  const pieces = await deps.withRoom(() => loadAll(snapshot, rank, choice, isCold, pins, signal));
  const scored = await run({ kind: 'score', cold: isCold, choice, pieces });
  const found = nearestOf(scored.pieces?.candidates ?? [], limit);
  const read = await readCandidates(snapshot.blocks, rank.attribute, found, signal);
  const ranked = await rankCandidates(deps, snapshot, read, run, hold);
  const foundCount = read.reduce((sum, { candidates }) => sum + candidates.length, 0);
  const merged = merge(snapshot, scored.top, ranked, limit);
  const isShort = merged.length < limit || 2 * ranked.length < foundCount;
  if (isShort && foundCount < choice.coldMatchCount) return undefined;
  const facts = {
    reason: 'fewer bytes than whole segments',
    segments: cold.size,
    piece_bytes: bytesOf(choice, rank),
    whole_bytes: missingBytesOf(cold, rank),
    candidates: foundCount,
    superseded: foundCount - ranked.length,
  };
  return {
    ...scored,
    scoredRowCount: scored.scoredRowCount,
    top: {
      blocks: Uint32Array.from(merged, ({ block }) => block),
      rows: Uint32Array.from(merged, ({ row }) => row),
      scores: Float64Array.from(merged, ({ score }) => score),
    },
    known: knownOf(snapshot, merged, isCold),
    prunedSegmentCount: prepared.prunedSegmentCount,
    ...(traced ? { trace: [...(scored.trace ?? []), { step: 'pieces', block: undefined, facts }] } : {}),
  };
}

/** Segments of which the search reads pieces: those that it can be done with, and that would be long in coming. */
function coldBlocks({ blocks, schema }: Snapshot, plan: QueryPlan, wholeBytesMax: number): ReadonlySet<ResidentBlock> {
  const { rank, filter, limitPer, projection } = plan;
  const none = new Set<ResidentBlock>();
  if (rank.kind !== 'vector' || rank.recall === undefined || limitPer !== undefined) return none;
  if (filter !== undefined && (usesIds(filter) || namedIds(plan) !== undefined)) return none;
  if (projection.some((name) => schema.attributes.get(name)?.type.kind === 'vector')) return none;
  return new Set(
    blocks.filter((block) => {
      if (block.missingBytes(rank.attribute) <= wholeBytesMax) return false;
      const { reader } = block;
      const column = reader?.footer.columns.find(({ name }) => name === rank.attribute);
      return column !== undefined && reader?.hasRowIds === true && reader.lists(column) !== undefined;
    }),
  );
}

/** What pieces cost beside loading whole what is missing: granules of candidates are larger than their rows. */
const candidateBytes = 4 << 10;

function isWorth({ access, visited, coldMatchCount }: LeafChoice, cold: ReadonlySet<ResidentBlock>, rank: VectorPlan) {
  if (access.kind === 'exact') {
    if (coldMatchCount > 0 && !visited.some((one) => one?.rows !== undefined)) return false;
    const rowCount = visited.reduce((sum, one) => sum + (one?.rows?.length ?? 0), 0);
    return rowCount === coldMatchCount && rowCount * candidateBytes < missingBytesOf(cold, rank) / 2;
  }
  const bytes = bytesOf({ visited }, rank) + access.candidateCount * candidateBytes;
  return bytes < missingBytesOf(cold, rank) / 2;
}

function missingBytesOf(cold: ReadonlySet<ResidentBlock>, { attribute }: VectorPlan): number {
  return [...cold].reduce((sum, block) => sum + block.missingBytes(attribute), 0);
}

/** Of the lists; those of vectors by their rows. */
function bytesOf({ visited }: Pick<LeafChoice, 'visited'>, rank: VectorPlan): number {
  const rowBytes = vectorElementBytes(rank.element) * rank.query.length;
  let bytes = 0;
  for (const one of visited) {
    if (one === undefined) continue;
    for (const { start, end } of one.codes ?? []) bytes += end - start;
    if (one.codes !== undefined) continue;
    for (const [i, from] of one.froms.entries()) bytes += ((one.tos[i] as number) - from) * rowBytes;
  }
  return bytes;
}

/** The requests of the round are shared by how many leaves each segment has to read. */
async function loadAll(
  { blocks }: Snapshot,
  { attribute }: VectorPlan,
  { visited }: LeafChoice,
  isCold: readonly boolean[],
  pins: PinList,
  signal?: AbortSignal,
): Promise<readonly (readonly StoredPlace[])[]> {
  const leafCount = (position: number): number =>
    isCold[position] === true ? (visited[position]?.leaves.length ?? 0) : 0;
  const total = blocks.reduce((sum, _block, position) => sum + leafCount(position), 0);
  const loads = blocks.map(async (block, position) => {
    const leaves = visited[position];
    if (leaves === undefined || leafCount(position) === 0) return [];
    const share = Math.max(1, Math.floor((requestCountMax * leafCount(position)) / total));
    return await block.loadPieces(attribute, leaves, share, pins, signal);
  });
  return (await Promise.allSettled(loads)).map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}

/** Of candidates whose distances are known only as many as may be answered, with some for those that the tail killed. */
function nearestOf(
  found: readonly (PieceCandidates | undefined)[],
  limit: number,
): readonly (PieceCandidates | undefined)[] {
  const distances = found.flatMap((one) => [...(one?.distances ?? [])]).sort((a, b) => a - b);
  const bound = distances[2 * limit + 16] ?? Infinity;
  return found.map((one) => {
    if (one?.distances === undefined) return one;
    const kept = [...one.distances.keys()].filter((i) => (one.distances?.[i] ?? 0) <= bound);
    return {
      rows: Uint32Array.from(kept, (i) => one.rows[i] as number),
      distances: Float32Array.from(kept, (i) => one.distances?.[i] ?? 0),
    };
  });
}

interface RankedRow {
  readonly score: number;
  readonly block: number;
  readonly row: number;
  readonly ids: IdColumn;
  readonly index: number;
}

/** The candidates that live, with their exact distances. */
async function rankCandidates(
  { cache, nextId, withRoom }: PieceSearchDeps,
  { killers }: Snapshot,
  read: readonly ReadCandidates[],
  run: (step: PieceStep) => Promise<SearchOutcome>,
  hold: SharedHold,
): Promise<readonly RankedRow[]> {
  const unknown = read.filter(({ distances }) => distances === undefined);
  const size = unknown.reduce((sum, { vectors }) => sum + (vectors?.length ?? 0), 0);
  const ranked: RankedRow[] = [];
  const add = (candidates: readonly Candidate[], distances: Float32Array): void => {
    for (const [i, candidate] of candidates.entries()) {
      if (isSuperseded(killers, candidate.ids, candidate.index)) continue;
      ranked.push({ ...candidate, score: distances[i] as number });
    }
  };
  for (const { candidates, distances } of read) if (distances !== undefined) add(candidates, distances);
  if (size === 0) return ranked;
  const key = `compared ${nextId()}`;
  const fill = async (target: Uint8Array): Promise<void> => {
    let offset = 0;
    for (const { vectors } of unknown) {
      target.set(vectors ?? new Uint8Array(0), offset);
      offset += vectors?.length ?? 0;
    }
  };
  const pinned = await withRoom(() => cache.acquire(key, size, fill));
  hold.add(pinned);
  cache.drop(key); // freed by its last unpin
  const { memoryIndex, offset } = pinned.block;
  const rowCount = unknown.reduce((sum, { candidates }) => sum + candidates.length, 0);
  const { pieces } = await run({ kind: 'compare', place: { memoryIndex, offset, size }, rowCount });
  let from = 0;
  for (const { candidates } of unknown) {
    add(candidates, pieces?.distances?.subarray(from, from + candidates.length) ?? new Float32Array(0));
    from += candidates.length;
  }
  return ranked;
}

/** By distance, then by id. */
function merge(
  { blocks }: Snapshot,
  top: SearchOutcome['top'],
  ranked: readonly RankedRow[],
  limit: number,
): readonly RankedRow[] {
  const warm = Array.from(top.rows, (row, i): RankedRow => {
    const block = top.blocks[i] as number;
    const resident = blocks[block] as ResidentBlock;
    return {
      score: top.scores[i] as number,
      block,
      row,
      ids: resident.block.ids,
      index: rankOfRow(resident.block, row),
    };
  });
  return [...warm, ...ranked]
    .sort((a, b) => a.score - b.score || compareIds(a.ids, a.index, b.ids, b.index))
    .slice(0, limit);
}

function knownOf(
  { blocks, schema }: Snapshot,
  merged: readonly RankedRow[],
  isCold: readonly boolean[],
): readonly (KnownIds | undefined)[] {
  return blocks.map((_block, position) =>
    isCold[position] === true
      ? gatherIds(
          schema.idKind,
          merged.filter(({ block }) => block === position),
        )
      : undefined,
  );
}
