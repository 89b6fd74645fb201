import { alignUp, concatBytes, corrupt, mapBounded } from '@lagoon/base';
import {
  type Block,
  bitmapBytes,
  type ColumnShape,
  columnRowRanges,
  columnSize,
  concatenateColumns,
  type IdColumn,
  layOutColumn,
  type NamedColumn,
  openBlock,
  openColumn,
  openColumnRows,
  reorderColumns,
  sliceColumns,
  verifyLaidOutColumn,
  writeBlock,
} from '@lagoon/format';
import type { Range } from './coalesce.ts';
import { decodeDocuments } from './document-blocks.v1.ts';
import type { FooterPlace } from './footer-place.ts';
import { granuleStart, lastAtMost, verifyGranules } from './granules.ts';
import { decodeIndexRoot } from './index-root.v1.ts';
import type { AttributeIndex } from './look-up.ts';
import { naming, required } from './named-errors.ts';
import { createGranuleReader } from './read-granules.ts';
import { createIdReader, type IdReader } from './read-ids.ts';
import type { ReadRange } from './read-range.ts';
import {
  decodeFooter,
  findSection,
  granuleCountOf,
  type SegmentColumn,
  type SegmentFooter,
  type SegmentSection,
} from './segment-footer.v1.ts';
import { sectionKind } from './segment-layout.v1.ts';

/**
 * A segment v1 that is read by ranges. Every byte that comes back was verified against its granule's checksum; what does not
 * fit is `corrupt` naming the key. An object that is gone is `not_found` with reason `gone`.
 */
export interface SegmentReader extends IdReader {
  readonly key: string;
  readonly footer: SegmentFooter;
  shapeOf(column: SegmentColumn): ColumnShape;
  /** A column as `openColumn` takes it: from its section, or gathered from the documents where it has none. Verified. */
  readColumn(column: SegmentColumn, signal?: AbortSignal): Promise<Uint8Array>;
  /** Size of what `readText` gives; undefined where the column has no text section. */
  textSize(column: SegmentColumn): number | undefined;
  /** Of these bytes, those of the index alone. */
  textIndexSize(column: SegmentColumn): number | undefined;
  /** The text index, then the null bitmap where the column has one: `textSize` bytes, one read. */
  readText(column: SegmentColumn, signal?: AbortSignal): Promise<Uint8Array>;
  /** The index of an attribute's values; undefined where there is none. */
  valueIndex(column: SegmentColumn): AttributeIndex | undefined;
  /** The index of the n-grams of an attribute's texts; undefined where there is none. */
  ngramIndex(column: SegmentColumn): AttributeIndex | undefined;
  /** The lists of a vector column; undefined where it has none. */
  lists(column: SegmentColumn): SegmentLists | undefined;
  /** Which block of documents holds a row, and its first row. */
  documentBlockOf(row: number): DocumentBlockPlace;
  /** The stored attributes of the rows of one block: row r is row r − `firstRow` of the result. One read. */
  readDocumentBlock(place: DocumentBlockPlace, signal?: AbortSignal): Promise<Block>;
  /**
   * All attributes of the rows [from, to), as they lie in the segment. Reads what these rows need and no more than a granule
   * besides.
   */
  readRowColumns(from: number, to: number, signal?: AbortSignal): Promise<NamedColumn[]>;
  /**
   * The vectors of these rows as they lie in the column, one behind the other in the order of the rows, which may be any and
   * name a row twice. All requests go out at once and are at most `requestCountMax`.
   */
  readVectors(
    column: SegmentColumn,
    rows: Uint32Array,
    requestCountMax: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array>;
  /** The vectors of the rows [from, to) of each range, as `readVectors`. Views: ranges may share a buffer. */
  readVectorRanges(
    column: SegmentColumn,
    rowRanges: readonly { readonly from: number; readonly to: number }[],
    requestCountMax: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array[]>;
  /** Everything, in the order of the ids. */
  readBlock(signal?: AbortSignal): Promise<Block>;
}

/** Parts of the lists of a vector column, each read on its own. */
export interface SegmentLists {
  /** To be opened by `decodeClusters`. */
  readonly clusters: SegmentPart;
  /** Undefined: the lists are the rows of the column themselves. */
  readonly codes: SegmentPart | undefined;
  /** u32, the row of each position; undefined: positions are rows. */
  readonly rows: SegmentPart | undefined;
  /**
   * Ranges of the codes' bytes, one view for each, in their order, which may be any. All requests go out at once and are at most
   * `requestCountMax`. Asked only where there are codes.
   */
  readCodes(ranges: readonly Range[], requestCountMax: number, signal?: AbortSignal): Promise<Uint8Array[]>;
  /** The same of the rows of positions. */
  readRows(ranges: readonly Range[], requestCountMax: number, signal?: AbortSignal): Promise<Uint8Array[]>;
}

export interface SegmentPart {
  readonly size: number;
  read(signal?: AbortSignal): Promise<Uint8Array>;
}

export interface DocumentBlockPlace {
  readonly index: number;
  readonly firstRow: number;
}

interface SegmentPlace {
  readonly key: string;
  readonly footer: FooterPlace;
}

/**
 * Opens a segment by one read, of the footer that the manifest tells of, with its lead. The clusters that came along are held
 * until they are read for the first time, which then costs no request.
 */
export async function openSegment(read: ReadRange, place: SegmentPlace, signal?: AbortSignal): Promise<SegmentReader> {
  const { offset, size, lead = 0 } = place.footer;
  const bytes = await read(offset - lead, offset + size, signal);
  const footer = decodeFooter(place.key, bytes.subarray(lead), offset);
  const clusters = new Map<SegmentSection, Uint8Array>();
  for (const section of footer.sections) {
    const start = section.offset - (offset - lead);
    if (section.kind !== sectionKind.clusters || start < 0) continue;
    clusters.set(section, bytes.subarray(start, start + section.length));
  }
  return createSegmentReader(read, place.key, footer, clusters);
}

/** `ahead`: sections that are here, not verified yet. */
function createSegmentReader(
  read: ReadRange,
  key: string,
  footer: SegmentFooter,
  ahead: Map<SegmentSection, Uint8Array>,
): SegmentReader {
  const { rowCount } = footer;
  const documents = findSection(footer, 'documents');
  const firstRows = startsOf(footer.documentRowCounts);
  const granules = createGranuleReader(read, key);
  const { readGranules, readRanges } = granules;
  const ids = createIdReader(key, footer, granules);
  const readWhole = async (section: SegmentSection, signal?: AbortSignal): Promise<Uint8Array> => {
    const here = ahead.get(section);
    if (here === undefined) return await readGranules(section, 0, granuleCountOf(section), signal);
    ahead.delete(section);
    verifyGranules(key, section, 0, granuleCountOf(section), here);
    return here;
  };

  const indexOf = (column: SegmentColumn): number => footer.columns.indexOf(column);
  const shapeOf = (column: SegmentColumn): ColumnShape => ({ ...column, rowCount });

  const textSize = (column: SegmentColumn): number | undefined => findSection(footer, 'text', indexOf(column))?.length;

  const readDocumentBlock: SegmentReader['readDocumentBlock'] = async ({ index, firstRow }, signal) => {
    const section = required(key, documents);
    const bytes = await readGranules(section, index, index + 1, signal);
    return decodeDocumentBlock(bytes, index, firstRow);
  };
  const decodeDocumentBlock = (bytes: Uint8Array, index: number, firstRow: number): Block =>
    naming(key, 'documents', index, () => {
      const count = footer.documentRowCounts[index] ?? 0;
      return decodeDocuments(bytes, firstRow, count, footer.documentRawSizes[index] ?? 0);
    });
  /** All attributes but vectors of the rows [from, to). */
  const readDocumentRows = async (from: number, to: number, signal?: AbortSignal): Promise<NamedColumn[]> => {
    if (documents === undefined || from === to) return [];
    const first = lastAtMost(firstRows, from);
    const end = lastAtMost(firstRows, to - 1) + 1;
    const bytes = await readGranules(documents, first, end, signal);
    const start = granuleStart(documents, first);
    const blocks: Block[] = [];
    for (let index = first; index < end; index++) {
      const part = bytes.subarray(granuleStart(documents, index) - start, granuleStart(documents, index + 1) - start);
      blocks.push(decodeDocumentBlock(part, index, firstRows[index] as number));
    }
    const columns = concatenateColumns(blocks);
    const skipped = firstRows[first] as number;
    const isWhole = skipped === from && to === (firstRows[end] ?? rowCount);
    return isWhole ? columns : sliceColumns(columns, from - skipped, to - skipped);
  };
  const readVectorRows = async (
    column: SegmentColumn,
    from: number,
    to: number,
    signal?: AbortSignal,
  ): Promise<NamedColumn> => {
    const { name, type } = column;
    const section = required(key, findSection(footer, 'column', indexOf(column)));
    const parts = columnRowRanges(shapeOf(column), from, to);
    const bytes = await readRanges(section, parts, parts.length, signal);
    return { name, type, column: openColumnRows(bytes, shapeOf(column), from, to) };
  };
  const readVectorRanges: SegmentReader['readVectorRanges'] = (column, rowRanges, requestCountMax, signal) => {
    const section = required(key, findSection(footer, 'column', indexOf(column)));
    const rowBytes = vectorRowBytes(shapeOf(column));
    const ranges = rowRanges.map(({ from, to }) => ({ start: from * rowBytes, end: to * rowBytes }));
    return readRanges(section, ranges, requestCountMax, signal);
  };
  const readVectors: SegmentReader['readVectors'] = async (column, rows, requestCountMax, signal) => {
    const rowRanges = Array.from(rows, (row) => ({ from: row, to: row + 1 }));
    const vectors = await readVectorRanges(column, rowRanges, requestCountMax, signal);
    return concatBytes(vectors);
  };
  const readRowColumns = async (from: number, to: number, signal?: AbortSignal): Promise<NamedColumn[]> => {
    const stored = await readDocumentRows(from, to, signal);
    const vectors = await mapBounded(
      footer.columns.filter(({ type }) => type.kind === 'vector'),
      2,
      (vector, _index, inner) => readVectorRows(vector, from, to, inner),
      signal,
    );
    const named = new Map([...stored, ...vectors].map((one) => [one.name, one]));
    return footer.columns.flatMap(({ name }) => named.get(name) ?? []);
  };
  const readColumn: SegmentReader['readColumn'] = async (column, signal) => {
    const section = findSection(footer, 'column', indexOf(column));
    if (section !== undefined) {
      const bytes = aligned(await readWhole(section, signal));
      naming(key, column.name, undefined, () => verifyLaidOutColumn(column.name, bytes, shapeOf(column)));
      return bytes;
    }
    const named = (await readDocumentRows(0, rowCount, signal)).find(({ name }) => name === column.name);
    const bytes = named === undefined ? undefined : layOutColumn(named, rowCount);
    if (bytes === undefined || bytes.length !== columnSize(shapeOf(column))) {
      throw corrupt('documents hold another column than the footer says', { key, column: column.name });
    }
    return bytes;
  };

  const indexes = new Map<SegmentSection, AttributeIndex>();
  const openIndex = (kind: 'valueIndex' | 'ngramIndex', column: SegmentColumn): AttributeIndex | undefined => {
    const section = findSection(footer, kind, indexOf(column));
    if (section === undefined) return undefined;
    const known = indexes.get(section);
    if (known !== undefined) return known;
    const { granuleLengths, root } = section;
    const opened: AttributeIndex = {
      root: naming(key, column.name, undefined, () => decodeIndexRoot(root, granuleLengths)),
      granuleSize: (granule) => granuleLengths[granule] as number,
      readGranules: ({ from, to }, signal) => readGranules(section, from, to, signal),
    };
    indexes.set(section, opened);
    return opened;
  };

  return {
    ...ids,
    key,
    footer,
    shapeOf,
    readColumn,
    textSize,
    textIndexSize: (column) => {
      const size = textSize(column);
      return size === undefined ? undefined : size - (column.hasNulls ? alignUp(bitmapBytes(rowCount), 16) : 0);
    },
    readText: (column, signal) => readWhole(required(key, findSection(footer, 'text', indexOf(column))), signal),
    valueIndex: (column) => openIndex('valueIndex', column),
    ngramIndex: (column) => openIndex('ngramIndex', column),
    lists: (column) => {
      const partOf = (kind: 'clusters' | 'codes' | 'listRows'): SegmentPart | undefined => {
        const section = findSection(footer, kind, indexOf(column));
        return section && { size: section.length, read: (signal) => readWhole(section, signal) };
      };
      const rangesOf =
        (kind: 'codes' | 'listRows'): SegmentLists['readCodes'] =>
        (ranges, requestCountMax, signal) =>
          readRanges(required(key, findSection(footer, kind, indexOf(column))), ranges, requestCountMax, signal);
      const clusters = partOf('clusters');
      return (
        clusters && {
          clusters,
          codes: partOf('codes'),
          rows: partOf('listRows'),
          readCodes: rangesOf('codes'),
          readRows: rangesOf('listRows'),
        }
      );
    },
    documentBlockOf: (row) => {
      const index = lastAtMost(firstRows, row);
      return { index, firstRow: firstRows[index] as number };
    },
    readDocumentBlock,
    readRowColumns,
    readVectors,
    readVectorRanges,
    readBlock: async (signal) => {
      const { ids: column, rows } = await ids.readIdRows(signal);
      const stored = await readDocumentRows(0, rowCount, signal);
      const vectors = await mapBounded(
        footer.columns.filter(({ type }) => type.kind === 'vector'),
        2,
        async (vector, _index, inner): Promise<NamedColumn> => {
          const bytes = await readColumn(vector, inner);
          return { name: vector.name, type: vector.type, column: openColumn(bytes, shapeOf(vector)) };
        },
        signal,
      );
      const named = new Map([...stored, ...vectors].map((one) => [one.name, one]));
      const columns = footer.columns.flatMap(({ name }) => named.get(name) ?? []);
      const block = assembleBlock(column, rows === undefined ? columns : reorderColumns(columns, rows));
      if (block.logicalBytes !== footer.logicalBytes) throw corrupt('segment holds other rows than it says', { key });
      return block;
    },
  };
}

function assembleBlock(ids: IdColumn, columns: readonly NamedColumn[]): Block {
  return openBlock(writeBlock({ ids, deletes: noIds(ids.idKind), columns }), { verify: false });
}

function noIds(idKind: IdColumn['idKind']): IdColumn {
  if (idKind === 'u64') return { idKind, count: 0, values: new BigUint64Array(0) };
  const bytes = new Uint8Array(0);
  return idKind === 'uuid' ? { idKind, count: 0, bytes } : { idKind, count: 0, offsets: new Uint32Array(1), bytes };
}

/** Begins of consecutive runs of these lengths. */
function startsOf(counts: readonly number[]): Uint32Array {
  const starts = new Uint32Array(counts.length);
  let start = 0;
  for (const [index, count] of counts.entries()) {
    starts[index] = start;
    start += count;
  }
  return starts;
}

/** Bytes of a row in the values of its column, which come first. */
function vectorRowBytes(shape: ColumnShape): number {
  const [values] = columnRowRanges(shape, 0, 1);
  return values?.end ?? 0;
}

/** Bytes at a multiple of 16 in their buffer, so that typed arrays can view them. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 16 === 0 ? bytes : concatBytes([bytes]);
}
