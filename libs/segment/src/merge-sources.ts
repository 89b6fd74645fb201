import { assert } from '@lagoon/base';
import {
  type Bitmap,
  type Block,
  coerceBlock,
  type NamedColumn,
  openBlock,
  type Schema,
  sliceColumns,
  vectorElementBytes,
} from '@lagoon/format';
import type { OrderedSource } from './merge-order.ts';
import type { SegmentReader } from './open-segment.ts';
import { inIdOrder } from './read-segment.ts';
import type { SpoolColumn } from './spool-segment.v1.ts';

/** A segment to merge: read by ranges, or as a block where it is flat. */
export interface SegmentToMerge {
  readonly rows: SegmentReader | Block;
  /** Dead rows as they lie in the segment, 1 = dead; undefined: none. */
  readonly dead: Bitmap | undefined;
}

/** The rows of one segment, for a merge that reads them once, in the order in which they lie. */
export interface MergeSource extends OrderedSource {
  readonly columns: readonly SpoolColumn[];
  readonly rowCount: number;
  /** About the bytes of a row. */
  weightOf(row: number): number;
  /** All rows, about so many bytes at a time. */
  chunks(bytesMax: number, signal?: AbortSignal): AsyncGenerator<RowChunk>;
}

export interface RowChunk {
  /** The chunk's first row in the segment. */
  readonly from: number;
  readonly rowCount: number;
  readonly columns: readonly NamedColumn[];
}

export async function openMergeSource(
  { rows, dead }: SegmentToMerge,
  schema: Schema,
  signal?: AbortSignal,
): Promise<MergeSource> {
  if (!('footer' in rows)) return blockSource(coerced(rows, schema), dead);
  if (rows.footer.idKind === schema.idKind) return readerSource(rows, dead, signal);
  // Ids of another kind sort in another order: only segments from before a schema said `uuid` have them.
  const { rows: order } = await rows.readIdRows(signal);
  const block = await rows.readBlock(signal);
  return blockSource(coerced(block, schema), dead === undefined ? undefined : inIdOrder(dead, order));
}

function coerced(block: Block, schema: Schema): Block {
  if (block.idKind === schema.idKind) return block;
  const result = coerceBlock(block, schema);
  return result instanceof Uint8Array ? openBlock(result, { verify: false }) : result;
}

function blockSource(block: Block, dead: Bitmap | undefined): MergeSource {
  const { rowCount } = block;
  const rowBytes = block.bytes.length / Math.max(1, rowCount);
  return {
    ids: block.ids,
    rows: undefined,
    dead,
    rowCount,
    columns: [...block.columns.values()],
    weightOf: () => rowBytes,
    async *chunks(bytesMax) {
      const step = Math.max(1, Math.floor(bytesMax / rowBytes));
      for (let from = 0; from < rowCount; from += step) {
        const to = Math.min(from + step, rowCount);
        yield { from, rowCount: to - from, columns: sliceColumns(block.columns.values(), from, to) };
      }
    },
  };
}

async function readerSource(
  reader: SegmentReader,
  dead: Bitmap | undefined,
  signal?: AbortSignal,
): Promise<MergeSource> {
  const { footer } = reader;
  const { rowCount, documentRowCounts, documentRawSizes } = footer;
  const vectorBytes = footer.columns.reduce(
    (sum, { type }) => sum + (type.kind === 'vector' ? vectorElementBytes(type.element) * type.dims + 4 : 0),
    0,
  );
  /** By block of documents: its first row, and about the bytes of each of its rows. */
  const starts = new Uint32Array(documentRowCounts.length + 1);
  const weights = new Float64Array(documentRowCounts.length);
  for (const [index, count] of documentRowCounts.entries()) {
    starts[index + 1] = (starts[index] as number) + count;
    weights[index] = (documentRawSizes[index] as number) / count + vectorBytes;
  }
  return {
    ...(await reader.readIdRows(signal)),
    dead,
    rowCount,
    columns: footer.columns,
    weightOf: (row) => weights[blockOf(starts, row)] as number,
    async *chunks(bytesMax, inner) {
      let block = 0;
      while (block < weights.length) {
        const from = starts[block] as number;
        let bytes = 0;
        do {
          bytes += (weights[block] as number) * (documentRowCounts[block] as number);
          block++;
        } while (
          block < weights.length &&
          bytes + (weights[block] as number) * (documentRowCounts[block] as number) <= bytesMax
        );
        const to = starts[block] as number;
        yield { from, rowCount: to - from, columns: await reader.readRowColumns(from, to, inner) };
      }
      assert(starts.at(-1) === rowCount, 'documents hold every row');
    },
  };
}

function blockOf(starts: Uint32Array, row: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] as number) <= row) low = middle;
    else high = middle;
  }
  return low;
}
