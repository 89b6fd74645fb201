import { alignUp, corrupt, utf8Decode } from '@lagoon/base';
import type { Block, Column, IdColumn, NamedColumn, NullBitmap, ScalarColumn } from './column.ts';
import {
  blockMagic,
  blockVersion,
  columnEntrySize,
  columnKindCodes,
  headerOffset,
  headerSize,
  idKindCodes,
  noColumn,
  type SectionName,
  scalarCodes,
  scalarWidth,
  sectionAlignment,
  sectionEntrySize,
  sectionKind,
  vectorElementCodes,
} from './layout.v1.ts';
import { scalarColumnOf } from './scalar-column.ts';
import { type AttributeType, type IdKind, limits, type ScalarType } from './schema.ts';
import { vectorElementBytes, vectorValuesOf } from './vector-element.ts';
import { verifyContents } from './verify-block.v1.ts';
import { blockChecksum } from './write-block.v1.ts';

export interface OpenBlockOptions {
  /**
   * False only for bytes that were verified before they were copied to where they are now: skips the checksum and the
   * contents (order, offsets of values, UTF-8), never the structure. Default true.
   */
  readonly verify?: boolean;
}

interface Header {
  readonly idKind: IdKind;
  readonly rowCount: number;
  readonly deleteCount: number;
  readonly columnCount: number;
  readonly sectionCount: number;
  readonly logicalBytes: number;
}

/**
 * Opens a columnar block: all arrays of the result are views of `bytes`, which must not change while it is used.
 * Bytes that do not start at a multiple of 16 in their buffer are copied once. Throws `corrupt`, naming the part.
 */
export function openBlock(bytes: Uint8Array, options: OpenBlockOptions = {}): Block {
  const verify = options.verify ?? true;
  const aligned = alignedBytes(bytes);
  const header = readHeader(aligned, verify);
  const sections = createSectionReader(aligned, header.sectionCount);
  const ids = readIds(sections, header.idKind, header.rowCount, 'idOffsets', 'ids');
  const deletes = readIds(sections, header.idKind, header.deleteCount, 'deleteOffsets', 'deletes');
  const columns = readColumns(sections, header);
  sections.end();
  const block: Block = {
    rowCount: header.rowCount,
    idKind: header.idKind,
    ids,
    deletes,
    columns,
    logicalBytes: header.logicalBytes,
    bytes: aligned,
  };
  if (verify) verifyContents(block);
  return block;
}

/** Throws `corrupt` unless the bytes are a sound columnar block. */
export function verifyBlock(bytes: Uint8Array): void {
  openBlock(bytes);
}

/** A plain array: the `slice` of a Buffer is no copy, and views of one would be Buffers. */
function alignedBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.byteOffset % sectionAlignment !== 0) return new Uint8Array(bytes);
  return Buffer.isBuffer(bytes) ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length) : bytes;
}

function readHeader(bytes: Uint8Array, verify: boolean): Header {
  if (bytes.length < headerSize) throw corrupt('block is shorter than its header', { bytes: bytes.length });
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerSize);
  if (view.getUint32(headerOffset.magic, true) !== blockMagic) throw corrupt('bytes are not a columnar block');
  const version = view.getUint16(headerOffset.version, true);
  if (version !== blockVersion) throw corrupt('unknown version of a columnar block', { version });
  const size = view.getUint32(headerOffset.size, true);
  if (size !== bytes.length) throw corrupt('block has another size than it says', { bytes: bytes.length, size });
  if (verify && view.getUint32(headerOffset.crc, true) !== blockChecksum(bytes)) {
    throw corrupt('checksum of a columnar block does not match');
  }
  const idKind = idKindCodes[view.getUint8(headerOffset.idKind)];
  if (idKind === undefined) throw corrupt('block has an unknown kind of id');
  const columnCount = view.getUint32(headerOffset.columnCount, true);
  if (columnCount > limits.attributeCountMax) throw corrupt('block has too many columns', { columnCount });
  return {
    idKind,
    rowCount: view.getUint32(headerOffset.rowCount, true),
    deleteCount: view.getUint32(headerOffset.deleteCount, true),
    columnCount,
    sectionCount: view.getUint32(headerOffset.sectionCount, true),
    logicalBytes: Number(view.getBigUint64(headerOffset.logicalBytes, true)),
  };
}

/** Hands out the sections in their one order; each must lie exactly where the one before it ends, aligned. */
interface SectionReader {
  /** The next section, which must be this one; `lengthBytes` is what it must have. */
  next(kind: SectionName, column: number, lengthBytes?: number): Uint8Array;
  end(): void;
}

function createSectionReader(bytes: Uint8Array, sectionCount: number): SectionReader {
  const tableEnd = headerSize + sectionCount * sectionEntrySize;
  if (tableEnd > bytes.length) throw corrupt('section table is past the end of the block', { sectionCount });
  const view = new DataView(bytes.buffer, bytes.byteOffset, tableEnd);
  let index = 0;
  let end = tableEnd;
  return {
    next(kind, column, lengthBytes) {
      if (index === sectionCount) throw corrupt('section is missing', { section: kind, column });
      const at = headerSize + index++ * sectionEntrySize;
      if (view.getUint16(at, true) !== sectionKind[kind] || view.getUint16(at + 2, true) !== column) {
        throw corrupt('section is not the expected one', { section: kind, column });
      }
      const offset = view.getUint32(at + 8, true);
      const length = view.getUint32(at + 12, true);
      if (offset !== alignUp(end, sectionAlignment) || offset + length > bytes.length) {
        throw corrupt('section lies in the wrong place', { section: kind, column, offset, length });
      }
      if (lengthBytes !== undefined && length !== lengthBytes) {
        throw corrupt('section has the wrong length', { section: kind, column, length, expected: lengthBytes });
      }
      end = offset + length;
      return bytes.subarray(offset, end);
    },
    end() {
      if (index !== sectionCount || alignUp(end, sectionAlignment) !== bytes.length) {
        throw corrupt('block has bytes or sections too many', { sectionCount });
      }
    },
  };
}

function readIds(
  sections: SectionReader,
  idKind: IdKind,
  count: number,
  offsetsKind: SectionName,
  valuesKind: SectionName,
): IdColumn {
  switch (idKind) {
    case 'u64': {
      const bytes = sections.next(valuesKind, noColumn, 8 * count);
      return { idKind, count, values: new BigUint64Array(bytes.buffer, bytes.byteOffset, count) };
    }
    case 'uuid':
      return { idKind, count, bytes: sections.next(valuesKind, noColumn, 16 * count) };
    case 'string': {
      const offsets = uint32View(sections.next(offsetsKind, noColumn, 4 * (count + 1)));
      return { idKind, count, offsets, bytes: sections.next(valuesKind, noColumn, offsets[count]) };
    }
  }
}

function readColumns(sections: SectionReader, header: Header): ReadonlyMap<string, NamedColumn> {
  const table = sections.next('columnTable', noColumn, header.columnCount * columnEntrySize);
  const names = sections.next('columnNames', noColumn);
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  const columns = new Map<string, NamedColumn>();
  let nameOffset = 0;
  for (let index = 0; index < header.columnCount; index++) {
    const at = index * columnEntrySize;
    const nameLength = view.getUint16(at + 4, true);
    if (view.getUint32(at, true) !== nameOffset || nameLength === 0 || nameOffset + nameLength > names.length) {
      throw corrupt('name of a column lies in the wrong place', { column: index });
    }
    const name = decodeName(names.subarray(nameOffset, nameOffset + nameLength), index);
    nameOffset += nameLength;
    if (columns.has(name)) throw corrupt('block has two columns of one name', { name });
    const type = readType(view, at, index);
    const hasNulls = view.getUint8(at + 12) === 1;
    columns.set(name, { name, type, column: readColumn(sections, type, hasNulls, header.rowCount, index) });
  }
  if (nameOffset !== names.length) throw corrupt('block has more names than columns');
  return columns;
}

function decodeName(bytes: Uint8Array, column: number): string {
  try {
    return utf8Decode(bytes);
  } catch {
    throw corrupt('name of a column is not utf-8', { column });
  }
}

function readType(view: DataView, at: number, column: number): AttributeType {
  const kind = columnKindCodes[view.getUint8(at + 6)];
  const code = view.getUint8(at + 7);
  const dims = view.getUint32(at + 8, true);
  if (kind === 'vector') {
    const element = vectorElementCodes[code];
    if (element !== undefined && dims >= 1 && dims <= limits.dimensionsMax) return { kind, element, dims };
  } else if (kind !== undefined) {
    const scalar = scalarCodes[code];
    const isKnown = scalar !== undefined && (kind === 'array' || scalar !== 'entry');
    if (isKnown && dims === 0) return { kind, scalar };
  }
  throw corrupt('column has an unknown type', { column, code, dims });
}

function readColumn(
  sections: SectionReader,
  type: AttributeType,
  hasNulls: boolean,
  rowCount: number,
  column: number,
): Column {
  const nulls = hasNulls ? sections.next('nulls', column, Math.ceil(rowCount / 8)) : undefined;
  switch (type.kind) {
    case 'scalar':
      return readScalar(sections, type.scalar, nulls, rowCount, column);
    case 'array': {
      const rowOffsets = uint32View(sections.next('rowOffsets', column, 4 * (rowCount + 1)));
      const elementCount = rowOffsets[rowCount] as number;
      const elements = readScalar(sections, type.scalar, undefined, elementCount, column);
      return { kind: 'array', scalar: type.scalar, nulls, rowOffsets, elements };
    }
    case 'vector': {
      const { element, dims } = type;
      const size = vectorElementBytes(element) * dims * rowCount;
      const values = vectorValuesOf(element, sections.next('values', column, size));
      const inverseNorms = float32View(sections.next('inverseNorms', column, 4 * rowCount));
      return { kind: 'vector', element, dims, nulls, values, inverseNorms };
    }
  }
}

function readScalar(
  sections: SectionReader,
  scalar: ScalarType,
  nulls: NullBitmap,
  count: number,
  column: number,
): ScalarColumn {
  const width = scalarWidth(scalar);
  const offsets = width === undefined ? uint32View(sections.next('valueOffsets', column, 4 * (count + 1))) : undefined;
  const bytes = sections.next('values', column, width === undefined ? offsets?.[count] : width * count);
  return scalarColumnOf(scalar, nulls, count, bytes, offsets);
}

function uint32View(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}

function float32View(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}
