import { assert } from '@lagoon/base';
import { type Bitmap, compareIds, gatherIdsOf, getBit, type IdColumn } from '@lagoon/format';
import type { SegmentIds } from './read-ids.ts';

/** The ids of one source, and its dead rows as they lie in it. */
export interface OrderedSource extends SegmentIds {
  readonly dead: Bitmap | undefined;
}

/** All live rows in the order of their ids: rank r is row `rows[r]` of source `sources[r]`. */
export interface MergedOrder {
  readonly ids: IdColumn;
  readonly sources: Uint8Array;
  readonly rows: Uint32Array;
}

export const mergedSourceCountMax = 256;

/** Ids between two looks at the clock. */
const idsPerBreath = 4_096;

/** Merges ids by a heap of sources, each at its next live one. Memory: the ids of all, twice, and 5 bytes per row. */
export async function mergeIds(sources: readonly OrderedSource[], breathe: () => Promise<void>): Promise<MergedOrder> {
  assert(sources.length <= mergedSourceCountMax, 'sources have numbers of one byte');
  const rowCount = sources.reduce((sum, source) => sum + liveCountOf(source), 0);
  const fromSources = new Uint8Array(rowCount);
  const fromRanks = new Uint32Array(rowCount);
  const ranks = sources.map((source) => nextLive(source, 0));
  const heap = sources.flatMap(({ ids }, source) => ((ranks[source] as number) < ids.count ? [source] : []));
  const isBefore = (a: number, b: number): boolean => {
    const order = compareIds(idsOf(a), ranks[a] as number, idsOf(b), ranks[b] as number);
    assert(order !== 0, 'an id is live in one segment only');
    return order < 0;
  };
  const idsOf = (source: number): IdColumn => (sources[source] as OrderedSource).ids;
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) siftDown(heap, at, isBefore);
  for (let rank = 0; heap.length > 0; rank++) {
    const source = heap[0] as number;
    fromSources[rank] = source;
    fromRanks[rank] = ranks[source] as number;
    ranks[source] = nextLive(sources[source] as OrderedSource, (ranks[source] as number) + 1);
    if ((ranks[source] as number) >= idsOf(source).count) {
      const last = heap.pop() as number;
      if (heap.length > 0) heap[0] = last;
    }
    siftDown(heap, 0, isBefore);
    if (rank % idsPerBreath === 0) await breathe();
  }
  const ids = gatherIdsOf(
    sources.map((source) => source.ids),
    fromSources,
    fromRanks,
  );
  const rows = fromRanks;
  for (let rank = 0; rank < rowCount; rank++) {
    const own = (sources[fromSources[rank] as number] as OrderedSource).rows;
    if (own !== undefined) rows[rank] = own[rows[rank] as number] as number;
  }
  return { ids, sources: fromSources, rows };
}

function rowOf({ rows }: OrderedSource, rank: number): number {
  return rows === undefined ? rank : (rows[rank] as number);
}

function nextLive(source: OrderedSource, from: number): number {
  const { ids, dead } = source;
  let rank = from;
  while (dead !== undefined && rank < ids.count && getBit(dead, rowOf(source, rank))) rank++;
  return rank;
}

function liveCountOf({ ids, dead }: OrderedSource): number {
  if (dead === undefined) return ids.count;
  let count = 0;
  for (let row = 0; row < ids.count; row++) if (!getBit(dead, row)) count++;
  return count;
}

function siftDown(heap: number[], from: number, isBefore: (a: number, b: number) => boolean): void {
  let at = from;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) return;
    if (child + 1 < heap.length && isBefore(heap[child + 1] as number, heap[child] as number)) child++;
    const source = heap[at] as number;
    if (!isBefore(heap[child] as number, source)) return;
    heap[at] = heap[child] as number;
    heap[child] = source;
    at = child;
  }
}
