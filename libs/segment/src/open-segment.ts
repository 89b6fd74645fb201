import { alignUp, concatBytes, corrupt, isLagoonError, mapBounded } from '@lagoon/base';
import {
  type Block,
  bitmapBytes,
  type ColumnShape,
  columnRowRanges,
  columnSize,
  compareIds,
  concatenateColumns,
  type IdColumn,
  layOutColumn,
  lowerBound,
  type NamedColumn,
  openBlock,
  openColumn,
  openColumnRows,
  reorderColumns,
  sliceColumns,
  verifyLaidOutColumn,
  writeBlock,
} from '@lagoon/format';
import { decodeDocuments } from './document-blocks.v1.ts';
import { granuleStart, verifyGranules } from './granules.ts';
import { decodeFirstIds, decodeIdBlock, type IdBlock, joinIds } from './id-blocks.v1.ts';
import { createIdFilter } from './id-filter.v1.ts';
import { decodeIndexRoot } from './index-root.v1.ts';
import type { AttributeIndex } from './look-up.ts';
import type { ReadRange } from './read-range.ts';
import {
  decodeFooter,
  findSection,
  granuleCountOf,
  type SegmentColumn,
  type SegmentFooter,
  type SegmentSection,
} from './segment-footer.v1.ts';
import { idBlockRowCount } from './segment-layout.v1.ts';

/**
 * A segment v1 that is read by ranges. Every byte that comes back was verified against its granule's checksum; what does not
 * fit is `corrupt` naming the key. An object that is gone is `not_found` with reason `gone`.
 */
export interface SegmentReader {
  readonly key: string;
  readonly footer: SegmentFooter;
  /** Bytes of all ids of strings; else 0. */
  readonly idBytes: number;
  /** All ids in their order, which is that of the rows unless the footer says `permuted`. One read. */
  readIds(signal?: AbortSignal): Promise<IdColumn>;
  /** The same with the rows that the ids have. One read. */
  readIdRows(signal?: AbortSignal): Promise<SegmentIds>;
  /** The row of an id, -1 where the segment does not have it: at most one read, of one block of ids. */
  findRow(ids: IdColumn, index: number, signal?: AbortSignal): Promise<number>;
  /** Tells absent ids: whether the id of a row of a column may be in the segment. One read. */
  readIdFilter(signal?: AbortSignal): Promise<(ids: IdColumn, row: number) => boolean>;
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
  /** Everything, in the order of the ids. */
  readBlock(signal?: AbortSignal): Promise<Block>;
}

/** The ids of a segment in their order, and where their rows lie. */
export interface SegmentIds {
  readonly ids: IdColumn;
  /** Row per id, a permutation; undefined: id r is that of row r. */
  readonly rows: Uint32Array | undefined;
}

/** Parts of the lists of a vector column, each read on its own. */
export interface SegmentLists {
  /** To be opened by `decodeClusters`. */
  readonly clusters: SegmentPart;
  /** Undefined: the lists are the rows of the column themselves. */
  readonly codes: SegmentPart | undefined;
  /** u32, the row of each position; undefined: positions are rows. */
  readonly rows: SegmentPart | undefined;
}

export interface SegmentPart {
  readonly size: number;
  read(signal?: AbortSignal): Promise<Uint8Array>;
}

export interface DocumentBlockPlace {
  readonly index: number;
  readonly firstRow: number;
}

export interface SegmentPlace {
  readonly key: string;
  readonly footer: { readonly offset: number; readonly size: number };
}

/** Opens a segment by one read, of the footer that the manifest tells of. */
export async function openSegment(read: ReadRange, place: SegmentPlace, signal?: AbortSignal): Promise<SegmentReader> {
  const { offset, size } = place.footer;
  const bytes = await read(offset, offset + size, signal);
  return createSegmentReader(read, place.key, decodeFooter(place.key, bytes, offset));
}

function createSegmentReader(read: ReadRange, key: string, footer: SegmentFooter): SegmentReader {
  const { idKind, rowCount } = footer;
  const ids = required(key, findSection(footer, 'ids'));
  const documents = findSection(footer, 'documents');
  const firstRows = startsOf(footer.documentRowCounts);
  const idStep = idBlockRowCount[idKind];

  const readGranules = async (
    section: SegmentSection,
    from: number,
    to: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array> => {
    if (from === to) return new Uint8Array(0);
    const start = section.offset + granuleStart(section, from);
    const bytes = await read(start, section.offset + granuleStart(section, to), signal);
    verifyGranules(key, section, from, to, bytes);
    return bytes;
  };
  const readWhole = (section: SegmentSection, signal?: AbortSignal): Promise<Uint8Array> =>
    readGranules(section, 0, granuleCountOf(section), signal);

  const idBlockCount = Math.ceil(rowCount / idStep);
  const decodeIds = (bytes: Uint8Array, block: number): IdBlock => {
    const count = Math.min(idStep, rowCount - block * idStep);
    return naming(key, 'ids', block, () => decodeIdBlock(bytes, idKind, count, footer.permuted));
  };
  const readIdBlocks = async (signal?: AbortSignal): Promise<IdBlock[]> => {
    const bytes = await readWhole(ids, signal);
    return Array.from({ length: idBlockCount }, (_, block) =>
      decodeIds(bytes.subarray(granuleStart(ids, block), granuleStart(ids, block + 1)), block),
    );
  };
  const readIdRows = async (signal?: AbortSignal): Promise<SegmentIds> => {
    const blocks = await readIdBlocks(signal);
    const column = joinIds(
      idKind,
      blocks.map((block) => block.ids),
    );
    checkAscending(key, column, idStep);
    return { ids: column, rows: footer.permuted ? rowsOf(key, blocks, rowCount) : undefined };
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
  /** The bytes [start, end) of a section: whole granules are read and verified. */
  const readBytes = async (section: SegmentSection, start: number, end: number, signal?: AbortSignal) => {
    const from = Math.floor(start / section.granuleSize);
    const bytes = await readGranules(section, from, Math.ceil(end / section.granuleSize), signal);
    return bytes.subarray(start - from * section.granuleSize, end - from * section.granuleSize);
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
    const bytes = await mapBounded(
      parts,
      2,
      ({ start, end }, _index, inner) => readBytes(section, start, end, inner),
      signal,
    );
    return { name, type, column: openColumnRows(bytes, shapeOf(column), from, to) };
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
    key,
    footer,
    idBytes: idKind === 'string' ? ids.length - rowCount * (footer.permuted ? 5 : 1) : 0,
    readIds: async (signal) => (await readIdRows(signal)).ids,
    readIdRows,
    findRow: async (wanted, index, signal) => {
      if (wanted.idKind !== idKind) return -1;
      const firsts = naming(key, 'first ids', undefined, () => decodeFirstIds(footer.firstIds, idKind, idBlockCount));
      const above = lowerBound(firsts, wanted, index, 0);
      const isFirst = above < firsts.count && compareIds(firsts, above, wanted, index) === 0;
      const block = isFirst ? above : above - 1;
      if (block < 0) return -1;
      const found = decodeIds(await readGranules(ids, block, block + 1, signal), block);
      const at = lowerBound(found.ids, wanted, index, 0);
      if (at === found.ids.count || compareIds(found.ids, at, wanted, index) !== 0) return -1;
      return found.rows === undefined ? block * idStep + at : (found.rows[at] as number);
    },
    readIdFilter: async (signal) => {
      const bytes = await readWhole(required(key, findSection(footer, 'idFilter')), signal);
      return naming(key, 'id filter', undefined, () => createIdFilter(bytes));
    },
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
      const clusters = partOf('clusters');
      return clusters && { clusters, codes: partOf('codes'), rows: partOf('listRows') };
    },
    documentBlockOf: (row) => {
      const index = lastAtMost(firstRows, row);
      return { index, firstRow: firstRows[index] as number };
    },
    readDocumentBlock,
    readRowColumns,
    readBlock: async (signal) => {
      const { ids: column, rows } = await readIdRows(signal);
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

/** The row of every id, in the order of the ids. */
function rowsOf(key: string, blocks: readonly IdBlock[], rowCount: number): Uint32Array {
  const rows = new Uint32Array(rowCount);
  const seen = new Uint8Array(bitmapBytes(rowCount));
  let rank = 0;
  for (const block of blocks) {
    for (const row of block.rows ?? []) {
      const isTaken = (((seen[row >>> 3] ?? 0xff) >>> (row & 7)) & 1) === 1;
      if (row >= rowCount || isTaken) throw corrupt('ids name a row twice, or one that is not there', { key, row });
      (seen[row >>> 3] as number) |= 1 << (row & 7);
      rows[rank++] = row;
    }
  }
  return rows;
}

/** Inside a block the ids ascend already. */
function checkAscending(key: string, ids: IdColumn, step: number): void {
  for (let row = step; row < ids.count; row += step) {
    if (compareIds(ids, row - 1, ids, row) >= 0) throw corrupt('ids of a segment do not ascend', { key, row });
  }
}

function noIds(idKind: IdColumn['idKind']): IdColumn {
  if (idKind === 'u64') return { idKind, count: 0, values: new BigUint64Array(0) };
  const bytes = new Uint8Array(0);
  return idKind === 'uuid' ? { idKind, count: 0, bytes } : { idKind, count: 0, offsets: new Uint32Array(1), bytes };
}

function required(key: string, section: SegmentSection | undefined): SegmentSection {
  if (section === undefined) throw corrupt('segment lacks a section', { key });
  return section;
}

/** Says whose bytes a decoder could not take. */
function naming<R>(key: string, part: string, granule: number | undefined, decode: () => R): R {
  try {
    return decode();
  } catch (error) {
    if (!isLagoonError(error, 'corrupt')) throw error;
    throw corrupt('segment cannot be read', { key, part, granule, cause: error.message });
  }
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

function lastAtMost(starts: Uint32Array, row: number): number {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] as number) <= row) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Bytes at a multiple of 16 in their buffer, so that typed arrays can view them. */
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 16 === 0 ? bytes : concatBytes([bytes]);
}
