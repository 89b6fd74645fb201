import { alignUp, assert, LagoonError } from '@lagoon/base';
import {
  type ColumnShape,
  columnSize,
  type FullTextSearch,
  type IdColumn,
  type IdKind,
  layOutColumn,
  type NamedColumn,
  openColumn,
} from '@lagoon/format';
import type { SegmentIds } from '@lagoon/segment';
import { invert, type RowBlock, type RowRanks } from './row-ranks.ts';

/**
 * A segment of which only parts lie in the arena: ids, columns and text indexes, each where it was loaded to. Plain data, so
 * that it crosses to a worker as it is.
 */
export interface StoredSegment {
  readonly idKind: IdKind;
  readonly rowCount: number;
  /** Bytes of all ids of strings; else 0. */
  readonly idBytes: number;
  /** Rows in another order than ids: behind the ids lie the row per rank and the rank per row, u32 each. */
  readonly permuted: boolean;
  /** Undefined: they are not in memory. */
  readonly ids: StoredPlace | undefined;
  readonly columns: readonly StoredColumn[];
  readonly texts: readonly StoredText[];
  readonly lists: readonly StoredLists[];
}

export interface StoredPlace {
  readonly memoryIndex: number;
  readonly offset: number;
  readonly size: number;
}

export interface StoredColumn extends StoredPlace {
  readonly name: string;
  readonly shape: ColumnShape;
}

/** Lists of a vector column: clusters; codes, but for flat lists and where only the leaves are there; the row of each position where positions are no rows. */
export interface StoredLists {
  readonly attribute: string;
  readonly clusters: StoredPlace;
  readonly codes: StoredPlace | undefined;
  readonly rows: StoredPlace | undefined;
}

/** A text index, and behind it the nulls of its attribute where it has some. */
export interface StoredText extends StoredPlace {
  readonly attribute: string;
  readonly settings: FullTextSearch;
  readonly indexSize: number;
  readonly hasNulls: boolean;
}

type IdPart = Pick<StoredSegment, 'idKind' | 'rowCount' | 'idBytes' | 'permuted'>;

/** Bytes of the ids as `layOutIds` places them. */
export function idPartSize(part: IdPart): number {
  return columnSize(idShape(part)) + (part.permuted ? 2 * ranksSize(part) : 0);
}

/** The ids of a segment as they lie in the arena: a column, then both permutations where rows are in another order. */
export function layOutIds(part: IdPart, { ids, rows }: SegmentIds): Uint8Array {
  const bytes = layOutColumn(idsToColumn(ids), part.rowCount);
  if (rows === undefined) return bytes;
  const all = new Uint8Array(idPartSize(part));
  all.set(bytes);
  all.set(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength), bytes.length);
  all.set(new Uint8Array(invert(rows).buffer), bytes.length + ranksSize(part));
  return all;
}

function ranksSize({ rowCount }: IdPart): number {
  return alignUp(4 * rowCount, 16);
}

function openRanks(part: IdPart, bytes: Uint8Array): RowRanks | undefined {
  if (!part.permuted) return undefined;
  const start = bytes.byteOffset + columnSize(idShape(part));
  return {
    rowOf: new Uint32Array(bytes.buffer, start, part.rowCount),
    rankOf: new Uint32Array(bytes.buffer, start + ranksSize(part), part.rowCount),
  };
}

/** Parts that are there; they only ever come. */
export function partCount({
  ids,
  columns,
  texts,
  lists,
}: Pick<StoredSegment, 'ids' | 'columns' | 'texts' | 'lists'>): number {
  const codeCount = lists.filter(({ codes }) => codes !== undefined).length;
  return (ids === undefined ? 0 : 1) + columns.length + texts.length + lists.length + codeCount;
}

/** How ids lie in the arena: as a column of their own. */
function idShape({ idKind, rowCount, idBytes }: Pick<StoredSegment, 'idKind' | 'rowCount' | 'idBytes'>): ColumnShape {
  const scalar = idKind === 'u64' ? 'uint' : idKind;
  return { type: { kind: 'scalar', scalar }, rowCount, hasNulls: false, elementCount: 0, valueBytes: idBytes };
}

export function idsToColumn(ids: IdColumn): NamedColumn {
  const shared = { kind: 'scalar', nulls: undefined } as const;
  switch (ids.idKind) {
    case 'u64':
      return { name: 'id', type: scalarType('uint'), column: { ...shared, scalar: 'uint', values: ids.values } };
    case 'uuid':
      return { name: 'id', type: scalarType('uuid'), column: { ...shared, scalar: 'uuid', bytes: ids.bytes } };
    case 'string': {
      const { offsets, bytes } = ids;
      return { name: 'id', type: scalarType('string'), column: { ...shared, scalar: 'string', offsets, bytes } };
    }
  }
}

function scalarType(scalar: 'uint' | 'uuid' | 'string') {
  return { kind: 'scalar', scalar } as const;
}

/** The segment as a block with what is there of it; `bytesAt` gives the bytes of a place. */
export function openStoredSegment(
  segment: StoredSegment,
  bytesAt: (place: StoredPlace) => Uint8Array,
  columns = new Map<string, NamedColumn>(),
): RowBlock {
  const { idKind, rowCount, ids } = segment;
  for (const column of segment.columns) if (!columns.has(column.name)) addColumn(columns, column, bytesAt(column));
  const shared = { rowCount, idKind, deletes: noIds(idKind), columns };
  const logicalBytes = 0; // not asked of a segment: its manifest says it
  if (ids === undefined) {
    return {
      ...shared,
      get ids(): IdColumn {
        throw idsMissing();
      },
      get ranks(): RowRanks | undefined {
        throw idsMissing();
      },
      logicalBytes,
      bytes: new Uint8Array(0),
    };
  }
  const bytes = bytesAt(ids);
  return {
    ...shared,
    ids: openIds(segment, bytes.subarray(0, columnSize(idShape(segment)))),
    ranks: openRanks(segment, bytes),
    logicalBytes,
    bytes,
  };
}

function idsMissing(): LagoonError {
  return new LagoonError('internal', 'ids of a segment are asked for and not in memory');
}

export function addColumn(columns: Map<string, NamedColumn>, { name, shape }: StoredColumn, bytes: Uint8Array): void {
  columns.set(name, { name, type: shape.type, column: openColumn(bytes, shape) });
}

function openIds(segment: StoredSegment, bytes: Uint8Array): IdColumn {
  const { idKind, rowCount: count } = segment;
  const column = openColumn(bytes, idShape(segment));
  assert(column.kind === 'scalar', 'ids are laid out as a scalar column');
  if (idKind === 'u64' && column.scalar === 'uint') return { idKind, count, values: column.values };
  if (idKind === 'uuid' && column.scalar === 'uuid') return { idKind, count, bytes: column.bytes };
  assert(idKind === 'string' && column.scalar === 'string', 'ids are laid out by their kind');
  return { idKind, count, offsets: column.offsets, bytes: column.bytes };
}

function noIds(idKind: IdKind): IdColumn {
  const bytes = new Uint8Array(0);
  if (idKind === 'u64') return { idKind, count: 0, values: new BigUint64Array(0) };
  return idKind === 'uuid' ? { idKind, count: 0, bytes } : { idKind, count: 0, offsets: new Uint32Array(1), bytes };
}
