import { crc32, utf8Encode } from '@lagoon/base';
import { type Block, getBit, type Schema, type VectorColumn } from '@lagoon/format';
import type { IvfBuildOptions, IvfIndex, IvfRows, ListCodec } from '@lagoon/vector';
import type { SegmentIdentity } from './segment-footer.v1.ts';
import type { VectorLists, WriteSegmentOptions } from './write-segment.v1.ts';

export type BuildLists = (rows: IvfRows, options: IvfBuildOptions) => Promise<IvfIndex>;

export interface ClusterOptions {
  /** Columns of fewer vectors get no lists: they are scanned. */
  readonly rowCountMin: number;
  readonly build: BuildLists;
}

/**
 * The lists of a block's vector columns, and the order of rows that they ask for: the first column's positions are the segment's
 * first rows, rows without the vector come behind them; further columns name the row of each position. Nothing where no
 * column has enough vectors. Equal input gives equal lists.
 */
export async function clusterRows(
  block: Block,
  schema: Schema,
  { incarnation, generationLast }: SegmentIdentity,
  options: ClusterOptions,
): Promise<Pick<WriteSegmentOptions, 'order' | 'lists'>> {
  const lists = new Map<string, VectorLists>();
  const seed = crc32(utf8Encode(`${incarnation} ${generationLast}`));
  let order: Uint32Array | undefined;
  let rowOf: Uint32Array | undefined;
  for (const [name, { ann }] of schema.attributes) {
    const column = block.columns.get(name)?.column;
    if (ann === undefined || column?.kind !== 'vector') continue;
    const present = presentRows(column, block.rowCount);
    if (present.length < options.rowCountMin) continue;
    const isPrimary = order === undefined;
    const asked = ann.codec ?? defaultCodec(column.dims, present.length);
    // Flat lists are rows in their own order: only one column can have them.
    const codec = asked === 'flat' && !isPrimary ? 'int8' : asked;
    const rows = { rowCount: present.length, dims: column.dims, read: readerOf(column, present) };
    const index = await options.build(rows, { metric: ann.distanceMetric, codec, seed });
    if (order === undefined || rowOf === undefined) {
      order = orderOf(index.order, present, block.rowCount);
      rowOf = inverseOf(order);
      lists.set(name, { index, rows: undefined });
      continue;
    }
    const places = rowOf;
    const rowsOfPositions = index.order.map((input) => places[present[input] as number] as number);
    lists.set(name, { index, rows: rowsOfPositions });
  }
  return order === undefined ? {} : { order, lists };
}

/** Short vectors have little to compress; a pq4 codebook wants many rows to be learned from. */
function defaultCodec(dims: number, rowCount: number): ListCodec {
  if (dims < 16) return 'flat';
  return rowCount < 16_384 ? 'int8' : 'pq4';
}

function presentRows({ nulls }: VectorColumn, rowCount: number): Uint32Array {
  const rows = new Uint32Array(rowCount);
  let count = 0;
  for (let row = 0; row < rowCount; row++) if (nulls === undefined || !getBit(nulls, row)) rows[count++] = row;
  return rows.subarray(0, count);
}

function readerOf({ values, dims, nulls }: VectorColumn, present: Uint32Array): IvfRows['read'] {
  if (nulls === undefined)
    return (start, count, target) => target.set(values.subarray(start * dims, (start + count) * dims));
  return (start, count, target) => {
    for (let i = 0; i < count; i++) {
      const row = present[start + i] as number;
      target.set(values.subarray(row * dims, (row + 1) * dims), i * dims);
    }
  };
}

function orderOf(positions: Uint32Array, present: Uint32Array, rowCount: number): Uint32Array {
  const order = new Uint32Array(rowCount);
  const taken = new Uint8Array(rowCount);
  let end = 0;
  for (const input of positions) {
    const row = present[input] as number;
    order[end++] = row;
    taken[row] = 1;
  }
  for (let row = 0; row < rowCount; row++) if (taken[row] === 0) order[end++] = row;
  return order;
}

function inverseOf(order: Uint32Array): Uint32Array {
  const inverse = new Uint32Array(order.length);
  for (let row = 0; row < order.length; row++) inverse[order[row] as number] = row;
  return inverse;
}
