import { assert } from '@lagoon/base';
import type { NamedColumn, Schema } from '@lagoon/format';
import type { ClusteredRows } from './cluster-rows.ts';
import { type MergedOrder, mergeIds } from './merge-order.ts';
import { type MergeSource, openMergeSource, type SegmentToMerge } from './merge-sources.ts';
import { createRowWindows, noRow } from './merge-windows.ts';
import type { Scratch } from './scratch.ts';
import type { SegmentIdentity } from './segment-footer.v1.ts';
import { createSegmentSpool, type SpoolColumn, type SpooledSegment } from './spool-segment.v1.ts';

export interface MergeSegmentsOptions {
  readonly scratch: Scratch;
  /** About the bytes of rows in memory at one time; they take some five times as much while they are put in order. */
  readonly windowBytesMax: number;
  /** Another order of the rows than that of their ids, and lists that go by it. */
  readonly orderRows?: RowOrderer;
  readonly indexedRowCountMin?: number;
  readonly breathe?: () => Promise<void>;
}

/** Says in which order the rows of a merge shall lie; undefined: that of the ids. */
export type RowOrderer = (rows: RowsToOrder, signal?: AbortSignal) => Promise<ClusteredRows | undefined>;

/** The rows of a merge before it is decided where they lie. */
export interface RowsToOrder {
  readonly rowCount: number;
  /** All live rows once, in the order of the sources: may be read any number of times, and costs as much as the merge's own reading. */
  read(signal?: AbortSignal): AsyncGenerator<RankedRows>;
}

export interface RankedRows {
  /** The rank of each row's id, `noRank` where the row is dead. */
  readonly ranks: Uint32Array;
  readonly columns: readonly NamedColumn[];
}

export const noRank = noRow;

/** A segment in a scratch file. */
export interface MergedObject extends SpooledSegment {
  readonly rowCount: number;
  readonly logicalBytes: number;
  /** Per source, per row: where the row lies now; any number for one that was dead. */
  readonly rows: readonly Uint32Array[];
}

/**
 * One segment of the live rows of all: the very bytes that `writeSegment` gives for them. No id may be live in two. Undefined where no row is
 * live. Memory: ids, some 20 bytes per row, and what the options say, whatever the sources hold; the rest lies in scratch.
 */
export async function mergeSegments(
  segments: readonly SegmentToMerge[],
  schema: Schema,
  identity: SegmentIdentity,
  options: MergeSegmentsOptions,
  signal?: AbortSignal,
): Promise<MergedObject | undefined> {
  const { scratch, windowBytesMax, orderRows, breathe = async () => {} } = options;
  const sources: MergeSource[] = [];
  for (const segment of segments) sources.push(await openMergeSource(segment, schema, signal));
  const order = await mergeIds(sources, breathe);
  const rowCount = order.rows.length;
  if (rowCount === 0) return undefined;
  const clustered = await orderRows?.(
    { rowCount, read: (inner) => readRanked(sources, order, windowBytesMax, inner) },
    signal,
  );
  const ranks = clustered?.order;
  assert(ranks === undefined || ranks.length === rowCount, 'a row order has every row once');
  const rows = placesOf(sources, order, ranks);
  const windows = createRowWindows(scratch, windowStarts(sources, order, ranks, windowBytesMax), schema);
  for (const [index, source] of sources.entries()) {
    for await (const chunk of source.chunks(windowBytesMax, signal)) {
      windows.scatter(chunk, (rows[index] as Uint32Array).subarray(chunk.from, chunk.from + chunk.rowCount));
      await breathe();
    }
  }
  const spool = createSegmentSpool(columnsOf(sources, schema), schema, identity, {
    scratch,
    breathe,
    textBytesMax: windowBytesMax / 4, // their words are strings, which take several times as much
    ...(options.indexedRowCountMin === undefined ? {} : { indexedRowCountMin: options.indexedRowCountMin }),
  });
  let logicalBytes = order.ids.idKind === 'u64' ? 8 * rowCount : order.ids.bytes.length;
  for (let window = 0; window < windows.count; window++) {
    const block = windows.gather(window);
    logicalBytes += block.logicalBytes - 8 * block.rowCount; // its ids are numbers
    await spool.append(block);
    signal?.throwIfAborted();
  }
  return { ...(await spool.finish(order.ids, ranks, logicalBytes, clustered?.lists)), rowCount, logicalBytes, rows };
}

/** Per source and row its new row. */
function placesOf(sources: readonly MergeSource[], order: MergedOrder, ranks: Uint32Array | undefined): Uint32Array[] {
  const places = sources.map((source) => new Uint32Array(source.rowCount).fill(noRow));
  for (let row = 0; row < order.rows.length; row++) {
    const rank = ranks === undefined ? row : (ranks[row] as number);
    (places[order.sources[rank] as number] as Uint32Array)[order.rows[rank] as number] = row;
  }
  return places;
}

/** First rows of windows of about one size; a row that is larger has its own. */
function windowStarts(
  sources: readonly MergeSource[],
  order: MergedOrder,
  ranks: Uint32Array | undefined,
  bytesMax: number,
): Uint32Array {
  const starts = [0];
  let bytes = 0;
  for (let row = 0; row < order.rows.length; row++) {
    const rank = ranks === undefined ? row : (ranks[row] as number);
    const source = sources[order.sources[rank] as number] as MergeSource;
    const weight = source.weightOf(order.rows[rank] as number);
    if (bytes > 0 && bytes + weight > bytesMax) {
      starts.push(row);
      bytes = 0;
    }
    bytes += weight;
  }
  return Uint32Array.from(starts);
}

async function* readRanked(
  sources: readonly MergeSource[],
  order: MergedOrder,
  bytesMax: number,
  signal?: AbortSignal,
): AsyncGenerator<RankedRows> {
  const ranks = placesOf(sources, order, undefined);
  for (const [index, source] of sources.entries()) {
    for await (const { from, rowCount, columns } of source.chunks(bytesMax, signal)) {
      yield { ranks: (ranks[index] as Uint32Array).subarray(from, from + rowCount), columns };
    }
  }
}

/** All attributes in the order of their appearance, of the schema's types. One that the schema does not have holds no value, and goes. */
function columnsOf(sources: readonly MergeSource[], schema: Schema): SpoolColumn[] {
  const types = new Map<string, SpoolColumn>();
  for (const { columns } of sources) {
    for (const { name } of columns) {
      const attribute = schema.attributes.get(name);
      if (attribute !== undefined) types.set(name, { name, type: attribute.type });
    }
  }
  return [...types.values()];
}
