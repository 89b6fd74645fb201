import { assert } from '@lagoon/base';
import {
  type Block,
  type ColumnShape,
  type FullTextSearch,
  type IdColumn,
  type IdKind,
  type NamedColumn,
  openColumn,
} from '@lagoon/format';

/**
 * A segment of which only parts lie in the arena: its ids at the place of its block, columns and text indexes where they were
 * loaded to. Plain data, so that it crosses to a worker as it is.
 */
export interface StoredSegment {
  readonly idKind: IdKind;
  readonly rowCount: number;
  /** Bytes of all ids of strings; else 0. */
  readonly idBytes: number;
  readonly columns: readonly StoredColumn[];
  readonly texts: readonly StoredText[];
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

/** A text index, and behind it the nulls of its attribute where it has some. */
export interface StoredText extends StoredPlace {
  readonly attribute: string;
  readonly settings: FullTextSearch;
  readonly indexSize: number;
  readonly hasNulls: boolean;
}

/** How ids lie in the arena: as a column of their own. */
export function idShape({
  idKind,
  rowCount,
  idBytes,
}: Pick<StoredSegment, 'idKind' | 'rowCount' | 'idBytes'>): ColumnShape {
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

/** The segment as a block with the columns that are there; `bytesAt` gives the bytes of a place. */
export function openStoredSegment(
  segment: StoredSegment,
  ids: StoredPlace,
  bytesAt: (place: StoredPlace) => Uint8Array,
): Block & { readonly columns: Map<string, NamedColumn> } {
  const { idKind, rowCount } = segment;
  const bytes = bytesAt(ids);
  const columns = new Map<string, NamedColumn>();
  for (const column of segment.columns) addColumn(columns, column, bytesAt(column));
  return {
    rowCount,
    idKind,
    ids: openIds(segment, bytes),
    deletes: noIds(idKind),
    columns,
    logicalBytes: 0, // not asked of a segment: its manifest says it
    bytes,
  };
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
