import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { alignUp, corrupt, crc32, type ErrorContext, LagoonError } from '@lagoon/base';
import {
  type AttributeRange,
  type AttributeType,
  type FullTextSearch,
  formatAttributeType,
  fullTextSearchDefaults,
  type IdKind,
  isRangeOf,
  limits,
  parseAttributeType,
} from '@lagoon/format';
import {
  AttributeRangeSchema,
  SegmentColumnSchema,
  SegmentFooterSchema,
  SegmentSectionSchema,
  type SegmentFooter as StoredFooter,
  type StoredFullTextSearch,
  StoredFullTextSearchSchema,
  type AttributeRange as StoredRange,
  type SegmentSection as StoredSection,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import {
  documentBlockBytesMax,
  footerMagic,
  idBlockRowCount,
  type SectionKind,
  sectionAlignment,
  sectionKind,
  segmentHeaderSize,
  segmentVersion,
  trailerSize,
} from './segment-layout.v1.ts';

/** Whose rows a segment holds: enough to rebuild a manifest from objects alone. */
export interface SegmentIdentity {
  readonly incarnation: string;
  readonly generationFirst: number;
  readonly generationLast: number;
}

/** What a reader knows of a segment before it reads its first section. */
export interface SegmentFooter extends SegmentIdentity {
  readonly idKind: IdKind;
  readonly rowCount: number;
  readonly logicalBytes: number;
  readonly sections: readonly SegmentSection[];
  readonly columns: readonly SegmentColumn[];
  readonly firstIds: Uint8Array;
  /** Whether rows are in another order than ids. */
  readonly permuted: boolean;
  readonly documentRowCounts: readonly number[];
  readonly documentRawSizes: readonly number[];
  /** Of filterable attributes: for the manifest. */
  readonly attributeRanges: readonly AttributeRange[];
}

export interface SegmentSection {
  /** As stored: a later version may write kinds that this one does not know. */
  readonly kind: number;
  /** Index into the footer's columns; undefined: of none. */
  readonly column: number | undefined;
  readonly offset: number;
  readonly length: number;
  /** 0: see `granuleLengths`. */
  readonly granuleSize: number;
  readonly granuleLengths: readonly number[];
  /** CRC-32 per granule, u32 little-endian. */
  readonly checksums: Uint8Array;
  /** Of an attribute index: what is known of it before its granules are read; else empty. */
  readonly root: Uint8Array;
}

export interface SegmentColumn {
  readonly name: string;
  readonly type: AttributeType;
  readonly hasNulls: boolean;
  readonly elementCount: number;
  readonly valueBytes: number;
  /** The settings by which the text section was made; undefined where there is none. */
  readonly fullTextSearch: FullTextSearch | undefined;
}

/** The message, then the trailer: size and CRC-32 of the message, version, magic. */
export function encodeFooter(footer: SegmentFooter): Uint8Array {
  const message = toBinary(SegmentFooterSchema, footerToStored(footer));
  const bytes = new Uint8Array(message.length + trailerSize);
  bytes.set(message);
  const view = new DataView(bytes.buffer, message.length);
  view.setUint32(0, message.length, true);
  view.setUint32(4, crc32(message), true);
  view.setUint32(8, segmentVersion, true);
  view.setUint32(12, footerMagic, true);
  return bytes;
}

/** `offset`: where the footer begins in its object. Everything that a reader relies on is checked; throws `corrupt`. */
export function decodeFooter(key: string, bytes: Uint8Array, offset: number): SegmentFooter {
  if (bytes.length < trailerSize) throw corrupt('segment footer is too short', { key, bytes: bytes.length });
  const messageSize = bytes.length - trailerSize;
  const view = new DataView(bytes.buffer, bytes.byteOffset + messageSize, trailerSize);
  if (view.getUint32(12, true) !== footerMagic) throw corrupt('not a segment footer', { key });
  const version = view.getUint32(8, true);
  if (version !== segmentVersion) throw corrupt('unknown version of a segment', { key, version });
  if (view.getUint32(0, true) !== messageSize) throw corrupt('segment footer has another size', { key });
  const message = bytes.subarray(0, messageSize);
  if (view.getUint32(4, true) !== crc32(message)) throw corrupt('segment footer has the wrong checksum', { key });
  let stored: StoredFooter;
  try {
    stored = fromBinary(SegmentFooterSchema, message);
  } catch (cause) {
    throw new LagoonError('corrupt', 'segment footer does not decode', { context: { key }, cause });
  }
  const footer = footerFromStored(key, stored);
  checkFooter(key, footer, offset);
  return footer;
}

export function findSection(footer: SegmentFooter, kind: SectionKind, column?: number): SegmentSection | undefined {
  return footer.sections.find((section) => section.kind === sectionKind[kind] && section.column === column);
}

export function granuleCountOf(section: SegmentSection): number {
  return section.checksums.length / 4;
}

function checkFooter(key: string, footer: SegmentFooter, offset: number): void {
  const must = (holds: boolean, what: string, context: ErrorContext = {}) => {
    if (!holds) throw corrupt(`segment footer: ${what}`, { key, ...context });
  };
  let end = segmentHeaderSize;
  for (const [index, section] of footer.sections.entries()) {
    must(section.offset === alignUp(end, sectionAlignment), 'a section lies in the wrong place', { section: index });
    const { granuleSize, granuleLengths, length } = section;
    const counted = granuleLengths.reduce((sum, size) => sum + size, 0);
    must(granuleSize > 0 ? granuleLengths.length === 0 : counted === length, 'sizes of granules', { section: index });
    const count = granuleSize > 0 ? Math.ceil(length / granuleSize) : granuleLengths.length;
    must(section.checksums.length === 4 * count, 'count of checksums', { section: index });
    must(section.column === undefined || section.column < footer.columns.length, 'a column that is not there');
    end = section.offset + length;
  }
  must(alignUp(end, sectionAlignment) === offset, 'it does not begin where the sections end', { offset });
  const rows = footer.documentRowCounts.reduce((sum, count) => sum + count, 0);
  must(rows === footer.rowCount, 'rows of the documents', { rows, rowCount: footer.rowCount });
  const documents = findSection(footer, 'documents');
  const blockCount = documents === undefined ? 0 : granuleCountOf(documents);
  must(footer.documentRowCounts.length === blockCount, 'blocks of documents');
  must(footer.documentRawSizes.length === blockCount, 'sizes of blocks of documents');
  must(
    footer.documentRawSizes.every((size) => size <= documentBlockBytesMax),
    'a block of documents is too large',
  );
  const ids = findSection(footer, 'ids');
  must(ids !== undefined, 'no ids');
  const idBlockCount = Math.ceil(footer.rowCount / idBlockRowCount[footer.idKind]);
  must(ids !== undefined && granuleCountOf(ids) === idBlockCount, 'blocks of ids');
  const rowIds = findSection(footer, 'rowIds');
  must(rowIds === undefined || granuleCountOf(rowIds) === idBlockCount, 'blocks of ids by row');
  must(footer.columns.length <= limits.attributeCountMax, 'too many columns');
  for (const range of footer.attributeRanges) {
    must(isRangeOf(range, footer.rowCount), 'a range of an attribute', { attribute: range.name });
  }
  must(new Set(footer.columns.map((column) => column.name)).size === footer.columns.length, 'a column twice');
}

function footerToStored(footer: SegmentFooter): StoredFooter {
  return create(SegmentFooterSchema, {
    incarnation: footer.incarnation,
    generationFirst: BigInt(footer.generationFirst),
    generationLast: BigInt(footer.generationLast),
    idKind: footer.idKind,
    rowCount: BigInt(footer.rowCount),
    logicalBytes: BigInt(footer.logicalBytes),
    sections: footer.sections.map((section) =>
      create(SegmentSectionSchema, {
        kind: section.kind,
        column: section.column === undefined ? 0 : section.column + 1,
        offset: BigInt(section.offset),
        length: BigInt(section.length),
        granuleSize: section.granuleSize,
        granuleLengths: [...section.granuleLengths],
        checksums: section.checksums,
        root: section.root,
      }),
    ),
    columns: footer.columns.map(({ fullTextSearch, ...column }) =>
      create(SegmentColumnSchema, {
        name: column.name,
        type: formatAttributeType(column.type),
        hasNulls: column.hasNulls,
        elementCount: BigInt(column.elementCount),
        valueBytes: BigInt(column.valueBytes),
        ...(fullTextSearch === undefined ? {} : { fullTextSearch: settingsToStored(fullTextSearch) }),
      }),
    ),
    firstIds: footer.firstIds,
    permuted: footer.permuted,
    documentRowCounts: [...footer.documentRowCounts],
    documentRawSizes: [...footer.documentRawSizes],
    attributeRanges: footer.attributeRanges.map(rangeToStored),
  });
}

function footerFromStored(key: string, stored: StoredFooter): SegmentFooter {
  const number = (value: bigint): number => {
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt('segment footer: number out of range', { key });
    return Number(value);
  };
  const { idKind } = stored;
  if (idKind !== 'u64' && idKind !== 'uuid' && idKind !== 'string') {
    throw corrupt('segment footer: unknown kind of id', { key, idKind });
  }
  return {
    incarnation: stored.incarnation,
    generationFirst: number(stored.generationFirst),
    generationLast: number(stored.generationLast),
    idKind,
    rowCount: number(stored.rowCount),
    logicalBytes: number(stored.logicalBytes),
    sections: stored.sections.map((section) => sectionFromStored(section, number)),
    columns: stored.columns.map((column) => ({
      name: column.name,
      type: typeFromStored(key, column.type),
      hasNulls: column.hasNulls,
      elementCount: number(column.elementCount),
      valueBytes: number(column.valueBytes),
      fullTextSearch: column.fullTextSearch === undefined ? undefined : settingsFromStored(column.fullTextSearch),
    })),
    firstIds: stored.firstIds,
    permuted: stored.permuted,
    documentRowCounts: stored.documentRowCounts,
    documentRawSizes: stored.documentRawSizes,
    attributeRanges: stored.attributeRanges.map((range) => rangeFromStored(key, range, number)),
  };
}

function sectionFromStored(stored: StoredSection, number: (value: bigint) => number): SegmentSection {
  return {
    kind: stored.kind,
    column: stored.column === 0 ? undefined : stored.column - 1,
    offset: number(stored.offset),
    length: number(stored.length),
    granuleSize: stored.granuleSize,
    granuleLengths: stored.granuleLengths,
    checksums: stored.checksums,
    root: stored.root,
  };
}

function rangeToStored({ name, type, min, max, nullCount }: AttributeRange): StoredRange {
  return create(AttributeRangeSchema, {
    name,
    type: formatAttributeType(type),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    nullCount: BigInt(nullCount),
  });
}

function rangeFromStored(key: string, stored: StoredRange, number: (value: bigint) => number): AttributeRange {
  const { name, min, max } = stored;
  return { name, type: typeFromStored(key, stored.type), min, max, nullCount: number(stored.nullCount) };
}

function typeFromStored(key: string, text: string): AttributeType {
  try {
    return parseAttributeType(text);
  } catch {
    throw corrupt('segment footer: unknown type of a column', { key, type: text });
  }
}

function settingsToStored({ k3, ...settings }: FullTextSearch): StoredFullTextSearch {
  const stored = k3 === fullTextSearchDefaults.k3 ? settings : { ...settings, k3 };
  return create(StoredFullTextSearchSchema, stored);
}

function settingsFromStored(stored: StoredFullTextSearch): FullTextSearch {
  const { tokenizer, language, stemming, removeStopwords, caseSensitive, asciiFolding, maxTokenLength, k1, b } = stored;
  const { k3 = fullTextSearchDefaults.k3 } = stored;
  return { tokenizer, language, stemming, removeStopwords, caseSensitive, asciiFolding, maxTokenLength, k1, b, k3 };
}
