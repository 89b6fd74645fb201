import { assert } from '@lagoon/base';
import {
  type Bitmap,
  type Block,
  compareIds,
  createBitmap,
  getBit,
  type IdColumn,
  mergeBlocks,
  openBlock,
  type Schema,
  setBit,
} from '@lagoon/format';
import type { SegmentReader } from './open-segment.ts';
import { inIdOrder } from './read-segment.ts';

/** A segment to merge: read by ranges, or as a block where it is flat or small. */
export interface SegmentToMerge {
  readonly rows: SegmentReader | Block;
  /** Dead rows as they lie in the segment, 1 = dead; undefined: none. */
  readonly dead: Bitmap | undefined;
}

export interface MergeSegmentsOptions {
  /** Bytes of the rows of one result, about: what a source weighs, shared evenly among its rows. */
  readonly pieceBytesMax: number;
  readonly breathe?: () => Promise<void>;
}

/**
 * The live rows of all segments in the order of their ids, as blocks of bounded size, each ready to be written as a segment of
 * its own. No id may be live in two. Memory: the ids of all sources, and about three times a block; what the sources hold
 * besides is read when its turn comes.
 */
export async function* mergeSegments(
  segments: readonly SegmentToMerge[],
  schema: Schema,
  options: MergeSegmentsOptions,
  signal?: AbortSignal,
): AsyncGenerator<Block> {
  const { breathe = async () => {} } = options;
  const sources: Source[] = [];
  for (const segment of segments) sources.push(await openSource(segment, signal));
  const from = sources.map(() => 0);
  const walk = createWalk(sources);
  for (;;) {
    let isMore = true;
    for (let bytes = 0; isMore && bytes < options.pieceBytesMax; ) {
      const taken = walk.take(rowsPerBreath, options.pieceBytesMax - bytes);
      bytes += taken.bytes;
      isMore = taken.isMore;
      await breathe();
    }
    const to = walk.rows;
    const parts = [];
    for (const [index, source] of sources.entries()) {
      const part = await source.read(from[index] as number, to[index] as number, signal);
      if (part !== undefined) parts.push(part);
      from[index] = to[index] as number;
      await breathe();
    }
    if (parts.length > 0) yield openBlock(mergeBlocks(parts, schema), { verify: false });
    if (!isMore) return;
  }
}

const rowsPerBreath = 4_096;

interface Source {
  readonly ids: IdColumn;
  readonly dead: Bitmap | undefined;
  readonly rowBytes: number;
  /** The live ones among the rows [from, to); undefined where there are none. */
  read(
    from: number,
    to: number,
    signal?: AbortSignal,
  ): Promise<{ readonly block: Block; readonly live: Bitmap } | undefined>;
}

async function openSource({ rows, dead }: SegmentToMerge, signal?: AbortSignal): Promise<Source> {
  if (!('footer' in rows)) return sourceOf(rows, dead);
  const { footer } = rows;
  if (footer.permuted) {
    const order = (await rows.readIdRows(signal)).rows;
    return sourceOf(await rows.readBlock(signal), dead === undefined ? undefined : inIdOrder(dead, order));
  }
  const ids = await rows.readIds(signal);
  return {
    ids,
    dead,
    rowBytes: footer.logicalBytes / Math.max(1, footer.rowCount),
    read: async (from, to, inner) => {
      const live = liveRows(from, to, dead, from);
      return live === undefined ? undefined : { block: await rows.readRows(from, to, ids, inner), live };
    },
  };
}

function sourceOf(block: Block, dead: Bitmap | undefined): Source {
  return {
    ids: block.ids,
    dead,
    rowBytes: block.logicalBytes / Math.max(1, block.rowCount),
    read: async (from, to) => {
      const live = liveRows(from, to, dead, 0, block.rowCount);
      return live === undefined ? undefined : { block, live };
    },
  };
}

/** Bitmap of the live rows of [from, to), numbered from `first`; undefined where none is. */
function liveRows(from: number, to: number, dead: Bitmap | undefined, first: number, count = to - from) {
  const live = createBitmap(count);
  let any = false;
  for (let row = from; row < to; row++) {
    if (dead !== undefined && getBit(dead, row)) continue;
    setBit(live, row - first);
    any = true;
  }
  return any ? live : undefined;
}

interface Walk {
  /** Goes on over live rows in the order of ids, until so many rows or bytes are passed. */
  take(rowCountMax: number, bytesMax: number): { readonly bytes: number; readonly isMore: boolean };
  /** Per source, the row behind the last one that was passed. */
  readonly rows: readonly number[];
}

/** Sources are few: the next one is found by looking at each. */
function createWalk(sources: readonly Source[]): Walk {
  const rows = sources.map(() => 0);
  const skipDead = ({ dead, ids }: Source, row: number): number => {
    let next = row;
    while (next < ids.count && dead !== undefined && getBit(dead, next)) next++;
    return next;
  };
  for (const [index, source] of sources.entries()) rows[index] = skipDead(source, 0);
  const lowest = (): number => {
    let best = -1;
    for (const [index, { ids }] of sources.entries()) {
      const row = rows[index] as number;
      if (row >= ids.count) continue;
      const other = sources[best];
      const order = other === undefined ? -1 : compareIds(ids, row, other.ids, rows[best] as number);
      assert(order !== 0, 'an id is live in one segment only');
      if (order < 0) best = index;
    }
    return best;
  };
  return {
    rows,
    take: (rowCountMax, bytesMax) => {
      let bytes = 0;
      for (let count = 0; count < rowCountMax && bytes < bytesMax; count++) {
        const index = lowest();
        const source = sources[index];
        if (source === undefined) return { bytes, isMore: false };
        rows[index] = skipDead(source, (rows[index] as number) + 1);
        bytes += Math.max(1, source.rowBytes);
      }
      return { bytes, isMore: true };
    },
  };
}
