import { assert, crc32, utf8Encode } from '@lagoon/base';
import {
  type AnnSettings,
  type Block,
  getBit,
  type NamedColumn,
  type Schema,
  type VectorColumn,
  type VectorElement,
  type VectorType,
  vectorElementBytes,
  vectorValuesOf,
} from '@lagoon/format';
import type { IvfBuildOptions, IvfIndex, IvfRows, ListCodec } from '@lagoon/vector';
import { noRow } from './merge-windows.ts';
import type { Scratch, ScratchFile } from './scratch.ts';
import type { SegmentIdentity } from './segment-footer.v1.ts';
import type { VectorLists } from './write-segment.v1.ts';

export interface ClusterOptions {
  /** Columns of fewer vectors get no lists: they are scanned. */
  readonly rowCountMin: number;
  build(rows: IvfRows, options: IvfBuildOptions): Promise<IvfIndex>;
}

/** Where rows lie, and the lists that they make. */
export interface ClusteredRows {
  /** The rank of each row's id. */
  readonly order: Uint32Array;
  readonly lists: ReadonlyMap<string, VectorLists>;
}

/**
 * The lists of a block's vector columns, and the order of rows that they ask for: the first column's positions are the segment's
 * first rows, rows without the vector come behind them; further columns name the row of each position. Undefined where no
 * column has enough vectors. Equal input gives equal lists.
 */
export async function clusterRows(
  block: Block,
  schema: Schema,
  identity: SegmentIdentity,
  options: ClusterOptions,
): Promise<ClusteredRows | undefined> {
  const inputs: VectorInput[] = [];
  for (const [name, { ann }] of schema.attributes) {
    const column = block.columns.get(name)?.column;
    if (ann === undefined || column?.kind !== 'vector') continue;
    const ranks = presentRows(column, block.rowCount);
    const { element, dims } = column;
    inputs.push({ name, ann, element, dims, ranks, read: readerOf(column, ranks) });
  }
  return await clusterInputs(inputs, block.rowCount, identity, options);
}

/** The same for rows that come in pieces, in any order, each with the rank of its id; `noRank` where it is dead. */
export async function clusterPieces(
  pieces: AsyncIterable<{ readonly ranks: Uint32Array; readonly columns: readonly NamedColumn[] }>,
  rowCount: number,
  schema: Schema,
  identity: SegmentIdentity,
  options: ClusterOptions & { readonly scratch: Scratch },
): Promise<ClusteredRows | undefined> {
  const spools = new Map<string, VectorSpool>();
  for (const [name, { type, ann }] of schema.attributes) {
    if (ann === undefined || type.kind !== 'vector') continue;
    spools.set(name, createVectorSpool(name, ann, type, rowCount, options.scratch));
  }
  if (spools.size === 0) return undefined;
  try {
    for await (const { ranks, columns } of pieces) {
      for (const { name, column } of columns) if (column.kind === 'vector') spools.get(name)?.append(column, ranks);
    }
    const inputs = [...spools.values()].map((spool) => spool.finish());
    return await clusterInputs(inputs, rowCount, identity, options);
  } finally {
    for (const spool of spools.values()) spool.remove();
  }
}

/** The vectors of one column, in any order. */
interface VectorInput extends Pick<IvfRows, 'dims' | 'read'> {
  readonly name: string;
  readonly ann: AnnSettings;
  readonly element: VectorElement;
  /** The rank of the id of each. */
  readonly ranks: Uint32Array;
}

async function clusterInputs(
  inputs: readonly VectorInput[],
  rowCount: number,
  { incarnation, generationLast }: SegmentIdentity,
  options: ClusterOptions,
): Promise<ClusteredRows | undefined> {
  const lists = new Map<string, VectorLists>();
  const seed = crc32(utf8Encode(`${incarnation} ${generationLast}`));
  let order: Uint32Array | undefined;
  let rowOf: Uint32Array | undefined;
  for (const input of inputs) {
    const { name, ann, dims, ranks, read } = input;
    if (ranks.length < options.rowCountMin) continue;
    const codec = codecOf(input, order === undefined);
    const index = await options.build(
      { rowCount: ranks.length, dims, read },
      { metric: ann.distanceMetric, codec, seed },
    );
    if (rowOf === undefined) {
      order = orderOf(index.order, ranks, rowCount);
      rowOf = inverseOf(order);
      lists.set(name, { index, rows: undefined });
      continue;
    }
    const places = rowOf;
    const rows = index.order.map((input) => places[ranks[input] as number] as number);
    lists.set(name, { index, rows });
  }
  return order === undefined ? undefined : { order, lists };
}

/** Flat lists are rows in their own order: only the first column can have them. */
function codecOf({ ann, element, dims, ranks }: VectorInput, isFirst: boolean): ListCodec {
  // Rows of i8 are a byte per dimension as they are, without the loss of a code.
  if (element === 'i8' && isFirst && ann.codec !== 'pq4') return 'flat';
  const asked = ann.codec ?? defaultCodec(dims, ranks.length);
  return asked === 'flat' && !isFirst ? 'int8' : asked;
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
  if (nulls === undefined) {
    return (start, count, target) => target.set(values.subarray(start * dims, (start + count) * dims));
  }
  return (start, count, target) => {
    for (let i = 0; i < count; i++) {
      const row = present[start + i] as number;
      target.set(values.subarray(row * dims, (row + 1) * dims), i * dims);
    }
  };
}

/** Vectors on their way: in a scratch file, one behind the other. */
interface VectorSpool {
  append(column: VectorColumn, ranks: Uint32Array): void;
  finish(): VectorInput;
  remove(): void;
}

function createVectorSpool(
  name: string,
  ann: AnnSettings,
  { element, dims }: VectorType,
  rowCountMax: number,
  scratch: Scratch,
): VectorSpool {
  const file: ScratchFile = scratch.create();
  const ranks = new Uint32Array(rowCountMax);
  const rowBytes = vectorElementBytes(element) * dims;
  let count = 0;
  return {
    append: (column, pieceRanks) => {
      assert(column.dims === dims && column.element === element, 'vectors of an attribute have its type');
      const { buffer, byteOffset, byteLength } = column.values;
      const { nulls } = column;
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      const taken = new Uint8Array(pieceRanks.length * rowBytes);
      let takenCount = 0;
      for (const [row, rank] of pieceRanks.entries()) {
        if (rank === noRow || (nulls !== undefined && getBit(nulls, row))) continue;
        taken.set(bytes.subarray(row * rowBytes, (row + 1) * rowBytes), takenCount++ * rowBytes);
        ranks[count++] = rank;
      }
      file.append(taken.subarray(0, takenCount * rowBytes));
    },
    finish: () => ({
      name,
      ann,
      element,
      dims,
      ranks: ranks.subarray(0, count),
      read: (start, rowCount, target) => {
        const bytes = file.read(start * rowBytes, (start + rowCount) * rowBytes);
        target.set(vectorValuesOf(element, bytes));
      },
    }),
    remove: () => file.remove(),
  };
}

/** Rows without the vector come behind the others, by id. */
function orderOf(positions: Uint32Array, ranks: Uint32Array, rowCount: number): Uint32Array {
  const order = new Uint32Array(rowCount);
  const taken = new Uint8Array(rowCount);
  let end = 0;
  for (const input of positions) {
    const rank = ranks[input] as number;
    order[end++] = rank;
    taken[rank] = 1;
  }
  for (let rank = 0; rank < rowCount; rank++) if (taken[rank] === 0) order[end++] = rank;
  return order;
}

function inverseOf(order: Uint32Array): Uint32Array {
  const inverse = new Uint32Array(order.length);
  for (let row = 0; row < order.length; row++) inverse[order[row] as number] = row;
  return inverse;
}
