import { alignUp, crc32, invalidArgument, utf8Encode } from '@lagoon/base';
import type { Column, IdColumn, NamedColumn, ScalarColumn } from './column.ts';
import {
  afterCrcOffset,
  blockBytesMax,
  blockMagic,
  blockVersion,
  columnEntrySize,
  columnKindCodes,
  crcOffset,
  headerOffset,
  headerSize,
  idKindCodes,
  noColumn,
  type SectionName,
  scalarCodes,
  sectionAlignment,
  sectionEntrySize,
  sectionKind,
  vectorElementCodes,
} from './layout.v1.ts';
import { logicalBytesOf } from './logical-bytes.ts';

/** What a block holds, as typed arrays that need not lie in one buffer: sorted, unique, within all limits. */
export interface BlockParts {
  readonly ids: IdColumn;
  readonly deletes: IdColumn;
  readonly columns: readonly NamedColumn[];
}

interface Section {
  readonly kind: SectionName;
  readonly column: number;
  readonly bytes: Uint8Array;
}

/** Lays the parts out as a columnar block v1: one copy of each, 16-byte aligned. The caller guarantees the invariants. */
export function writeBlock(parts: BlockParts): Uint8Array {
  const sections = sectionsOf(parts);
  const offsets: number[] = [];
  let end = headerSize + sections.length * sectionEntrySize;
  for (const section of sections) {
    const offset = alignUp(end, sectionAlignment);
    offsets.push(offset);
    end = offset + section.bytes.length;
  }
  const size = alignUp(end, sectionAlignment);
  if (size > blockBytesMax) throw invalidArgument('block is too large', { bytes: size, max: blockBytesMax });
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  writeHeader(view, parts, sections.length);
  for (const [i, section] of sections.entries()) {
    const offset = offsets[i] as number;
    writeSectionEntry(view, headerSize + i * sectionEntrySize, section, offset);
    bytes.set(section.bytes, offset);
  }
  view.setUint32(headerOffset.crc, blockChecksum(bytes), true);
  return bytes;
}

/** CRC-32 over everything but the checksum itself. */
export function blockChecksum(bytes: Uint8Array): number {
  return crc32(bytes.subarray(afterCrcOffset), crc32(bytes.subarray(0, crcOffset)));
}

function writeHeader(view: DataView, parts: BlockParts, sectionCount: number): void {
  view.setUint32(headerOffset.magic, blockMagic, true);
  view.setUint16(headerOffset.version, blockVersion, true);
  view.setUint8(headerOffset.idKind, idKindCodes.indexOf(parts.ids.idKind));
  view.setUint32(headerOffset.size, view.byteLength, true);
  view.setUint32(headerOffset.rowCount, parts.ids.count, true);
  view.setUint32(headerOffset.deleteCount, parts.deletes.count, true);
  view.setUint32(headerOffset.columnCount, parts.columns.length, true);
  view.setUint32(headerOffset.sectionCount, sectionCount, true);
  const logicalBytes = logicalBytesOf(parts.ids, parts.deletes, parts.columns);
  view.setBigUint64(headerOffset.logicalBytes, BigInt(logicalBytes), true);
}

function writeSectionEntry(view: DataView, at: number, section: Section, offset: number): void {
  view.setUint16(at, sectionKind[section.kind], true);
  view.setUint16(at + 2, section.column, true);
  view.setUint32(at + 8, offset, true);
  view.setUint32(at + 12, section.bytes.length, true);
}

/** All sections in their one order. */
function sectionsOf(parts: BlockParts): Section[] {
  const names = parts.columns.map((column) => utf8Encode(column.name));
  const sections: Section[] = [];
  const add = (kind: SectionName, bytes: Uint8Array, column = noColumn) => sections.push({ kind, column, bytes });
  addIds(
    parts.ids,
    (offsets) => add('idOffsets', offsets),
    (bytes) => add('ids', bytes),
  );
  addIds(
    parts.deletes,
    (offsets) => add('deleteOffsets', offsets),
    (bytes) => add('deletes', bytes),
  );
  add('columnTable', columnTable(parts.columns, names));
  add('columnNames', new Uint8Array(Buffer.concat(names)));
  for (const [index, { column }] of parts.columns.entries()) {
    addColumn(column, (kind, bytes) => add(kind, bytes, index));
  }
  return sections;
}

function addIds(ids: IdColumn, addOffsets: (bytes: Uint8Array) => void, addValues: (bytes: Uint8Array) => void): void {
  if (ids.idKind === 'string') addOffsets(bytesOf(ids.offsets));
  addValues(ids.idKind === 'u64' ? bytesOf(ids.values) : ids.bytes);
}

function addColumn(column: Column, add: (kind: SectionName, bytes: Uint8Array) => void): void {
  if (column.nulls !== undefined) add('nulls', column.nulls);
  switch (column.kind) {
    case 'scalar':
      addScalar(column, add);
      return;
    case 'array':
      add('rowOffsets', bytesOf(column.rowOffsets));
      addScalar(column.elements, add);
      return;
    case 'vector':
      add('values', bytesOf(column.values));
      add('inverseNorms', bytesOf(column.inverseNorms));
  }
}

function addScalar(column: ScalarColumn, add: (kind: SectionName, bytes: Uint8Array) => void): void {
  if (column.scalar === 'string' || column.scalar === 'bytes') add('valueOffsets', bytesOf(column.offsets));
  add('values', 'bytes' in column ? column.bytes : bytesOf(column.values));
}

function columnTable(columns: readonly NamedColumn[], names: readonly Uint8Array[]): Uint8Array {
  const table = new Uint8Array(columns.length * columnEntrySize);
  const view = new DataView(table.buffer);
  let nameOffset = 0;
  for (const [index, { type, column }] of columns.entries()) {
    const at = index * columnEntrySize;
    const nameLength = (names[index] as Uint8Array).length;
    view.setUint32(at, nameOffset, true);
    view.setUint16(at + 4, nameLength, true);
    view.setUint8(at + 6, columnKindCodes.indexOf(type.kind));
    view.setUint8(
      at + 7,
      type.kind === 'vector' ? vectorElementCodes.indexOf(type.element) : scalarCodes.indexOf(type.scalar),
    );
    view.setUint32(at + 8, type.kind === 'vector' ? type.dims : 0, true);
    view.setUint8(at + 12, column.nulls === undefined ? 0 : 1);
    nameOffset += nameLength;
  }
  return table;
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
