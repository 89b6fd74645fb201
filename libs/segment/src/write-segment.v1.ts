import { alignUp, assert, isLagoonError } from '@lagoon/base';
import {
  type AttributeRange,
  type Block,
  type FullTextSearch,
  gatherIdsOf,
  getBit,
  type IdColumn,
  layOutColumn,
  type NamedColumn,
  reorderColumns,
  type Schema,
  shapeOf,
  vectorElementBytes,
} from '@lagoon/format';
import { type Analyzer, createAnalyzer, createTextIndexBuilder, encodeTextIndex } from '@lagoon/text';
import type { IvfIndex } from '@lagoon/vector';
import type { EncodedIndex } from './attribute-index.v1.ts';
import { createRangesBuilder } from './attribute-ranges.ts';
import { createAttributeIndexBuilder } from './build-attribute-index.ts';
import { buildNgramIndex } from './build-ngram-index.ts';
import { encodeClusters } from './clusters.v1.ts';
import { cutDocuments, encodeDocuments } from './document-blocks.v1.ts';
import { type FooterPlace, leadOf } from './footer-place.ts';
import { cutByParts, cutEvenly, type Granules } from './granules.ts';
import { encodeFirstIds, encodeIdBlocks } from './id-blocks.v1.ts';
import { buildIdFilter } from './id-filter.v1.ts';
import { encodeFooter, type SegmentColumn, type SegmentIdentity, type SegmentSection } from './segment-footer.v1.ts';
import {
  idBlockRowCount,
  indexedRowCountMin,
  largeGranuleBytes,
  type SectionKind,
  sectionAlignment,
  sectionKind,
  segmentHeaderSize,
  segmentMagic,
  segmentVersion,
  smallGranuleBytes,
} from './segment-layout.v1.ts';

export interface WriteSegmentOptions {
  /** The rows in another order than that of their ids: row r of the segment is row `order[r]` of the block. */
  readonly order?: Uint32Array;
  /** Segments of fewer rows have no attribute indexes: their columns are scanned. */
  readonly indexedRowCountMin?: number;
  /** Lists of vector columns, by attribute. */
  readonly lists?: ReadonlyMap<string, VectorLists>;
  /** Lets other work of the thread run. */
  readonly breathe?: () => Promise<void>;
}

/** Lists of one vector column. Its positions are the segment's first rows, unless `rows` says which row each position is. */
export interface VectorLists {
  readonly index: IvfIndex;
  readonly rows: Uint32Array | undefined;
}

export interface WrittenSegment {
  /** The whole object. */
  readonly bytes: Uint8Array;
  /** Where the footer lies in it: for the manifest. */
  readonly footer: FooterPlace;
  /** For the manifest too. */
  readonly attributeRanges: readonly AttributeRange[];
}

/**
 * The rows of a block as a segment v1 (docs/formats/segment.v1.md). The schema says which attributes are searched as text and
 * which are stored as columns. Equal input gives equal bytes. Memory: about twice the block beside it.
 */
export async function writeSegment(
  block: Block,
  schema: Schema,
  identity: SegmentIdentity,
  options: WriteSegmentOptions = {},
): Promise<WrittenSegment> {
  const { order, breathe = async () => {} } = options;
  assert(order === undefined || order.length === block.rowCount, 'a row order has every row once');
  const { rowCount } = block;
  const columns = order === undefined ? [...block.columns.values()] : reorderColumns(block.columns.values(), order);
  const sections = createSectionList();
  addIds(sections, block.ids, order);
  const described: SegmentColumn[] = [];
  for (const [index, named] of columns.entries()) {
    if (isStoredAsColumn(named, schema)) {
      sections.add('column', index, cutEvenly(layOutColumn(named, rowCount), columnGranuleSize(named)));
      await breathe();
    }
    const settings = schema.attributes.get(named.name)?.fullTextSearch;
    const text = settings === undefined ? undefined : await textOf(named, rowCount, settings, breathe);
    if (text !== undefined) sections.add('text', index, cutEvenly(text, largeGranuleBytes));
    if (rowCount >= (options.indexedRowCountMin ?? indexedRowCountMin)) {
      for (const { kind, encoded } of indexesOf(named, rowCount, schema)) {
        sections.add(kind, index, encoded.granules, encoded.root);
        await breathe();
      }
    }
    const { hasNulls, elementCount, valueBytes } = shapeOf(named, rowCount);
    const fullTextSearch = text === undefined ? undefined : settings;
    described.push({ name: named.name, type: named.type, hasNulls, elementCount, valueBytes, fullTextSearch });
  }
  const documents = await documentsOf(columns, rowCount, breathe);
  sections.add('documents', undefined, cutByParts(documents.map((written) => written.compressed)));
  addLists(sections, described, options.lists ?? new Map());
  const ranges = createRangesBuilder(schema);
  for (const { name, column } of columns) ranges.add(name, column, rowCount);
  const attributeRanges = ranges.finish(rowCount);
  const assembled = assemble(sections, (list) =>
    encodeFooter({
      ...identity,
      idKind: block.idKind,
      rowCount,
      logicalBytes: block.logicalBytes,
      sections: list,
      columns: described,
      firstIds: encodeFirstIds(block.ids),
      permuted: order !== undefined,
      documentRowCounts: documents.map((written) => written.rowCount),
      documentRawSizes: documents.map((written) => written.rawSize),
      attributeRanges,
    }),
  );
  return { ...assembled, attributeRanges };
}

/** `ids` ascend; `ranks`: the rank of each row's id, where rows are in another order: then each row's id can be read by the row. */
export function addIds(sections: Pick<SectionList, 'add'>, ids: IdColumn, ranks: Uint32Array | undefined): void {
  sections.add('ids', undefined, idGranules(ids, ranks === undefined ? undefined : inverseOf(ranks)));
  if (ranks !== undefined) {
    sections.add('idRanks', undefined, cutEvenly(bytesOf(ranks), smallGranuleBytes));
    const byRow = gatherIdsOf([ids], new Uint8Array(ranks.length), ranks);
    sections.add('rowIds', undefined, idGranules(byRow, undefined));
  }
  sections.add('idFilter', undefined, cutEvenly(buildIdFilter(ids), smallGranuleBytes));
}

/** Clusters come last: right before the footer, so that one read can take both. */
export function addLists(
  sections: Pick<SectionList, 'add'>,
  columns: readonly SegmentColumn[],
  lists: ReadonlyMap<string, VectorLists>,
): void {
  const indexed = columns.flatMap(({ name }, column) => {
    const of = lists.get(name);
    return of === undefined ? [] : [{ column, ...of }];
  });
  assert(indexed.length === lists.size, 'lists are of columns that the segment has');
  for (const { column, index, rows } of indexed) {
    if (rows !== undefined) sections.add('listRows', column, cutEvenly(bytesOf(rows), smallGranuleBytes));
    if (index.code.codec !== 'flat') sections.add('codes', column, cutEvenly(index.codes, smallGranuleBytes));
  }
  for (const { column, index, rows } of indexed) {
    sections.add('clusters', column, cutEvenly(encodeClusters(index, rows !== undefined), largeGranuleBytes));
  }
}

/** Long texts that are only searched and answered lie in their postings and in the documents. */
export function isStoredAsColumn({ name, type }: Pick<NamedColumn, 'name' | 'type'>, schema: Schema): boolean {
  const attribute = schema.attributes.get(name);
  if (type.kind === 'vector' || attribute?.fullTextSearch === undefined || attribute.filterable) return true;
  return attribute.glob === true || attribute.regex === true || attribute.fuzzy === true;
}

/** What filters on the attribute look up: its values, and the n-grams of its texts where patterns are searched. */
export function indexesOf(
  { name, type, column }: NamedColumn,
  rowCount: number,
  schema: Schema,
): { readonly kind: 'valueIndex' | 'ngramIndex'; readonly encoded: EncodedIndex }[] {
  const attribute = schema.attributes.get(name);
  if (attribute === undefined || type.kind === 'vector') return [];
  const isSearched = attribute.glob === true || attribute.regex === true || attribute.fuzzy === true;
  const builder = attribute.filterable ? createAttributeIndexBuilder(type.scalar) : undefined;
  builder?.add(column, rowCount);
  const values = builder?.finish();
  const ngrams = isSearched && type.scalar === 'string' ? buildNgramIndex(column, rowCount) : undefined;
  return [
    ...(values === undefined ? [] : [{ kind: 'valueIndex' as const, encoded: values }]),
    ...(ngrams === undefined ? [] : [{ kind: 'ngramIndex' as const, encoded: ngrams }]),
  ];
}

/** Whole rows of a vector column, where they fit: so a row costs one granule. */
export function columnGranuleSize({ type }: Pick<NamedColumn, 'type'>): number {
  if (type.kind !== 'vector') return largeGranuleBytes;
  const rowBytes = vectorElementBytes(type.element) * type.dims;
  return rowBytes > smallGranuleBytes ? smallGranuleBytes : Math.floor(smallGranuleBytes / rowBytes) * rowBytes;
}

function idGranules(ids: IdColumn, rows: Uint32Array | undefined): Granules {
  const blocks = encodeIdBlocks(ids, rows);
  if (ids.idKind === 'string') return cutByParts(blocks);
  const width = (ids.idKind === 'u64' ? 8 : 16) + (rows === undefined ? 0 : 4);
  return cutEvenly(cutByParts(blocks).bytes, idBlockRowCount[ids.idKind] * width);
}

/** Rows between two looks at the clock. */
const rowsPerBreath = 512;

/** The text index of a column, then its nulls where it has some; undefined where there is no analyzer for the settings. */
async function textOf(
  { column }: NamedColumn,
  rowCount: number,
  settings: FullTextSearch,
  breathe: () => Promise<void>,
): Promise<Uint8Array | undefined> {
  const strings = column.kind === 'array' ? column.elements : column;
  const analyzer = analyzerOf(settings);
  if (analyzer === undefined || !('offsets' in strings) || strings.scalar !== 'string') return undefined;
  const builder = createTextIndexBuilder(analyzer);
  for (let row = 0; row < rowCount; row++) {
    const from = column.kind === 'array' ? (column.rowOffsets[row] as number) : row;
    const to = column.kind === 'array' ? (column.rowOffsets[row + 1] as number) : row + 1;
    for (let i = from; i < to; i++) {
      builder.addText(strings.bytes, strings.offsets[i] as number, strings.offsets[i + 1] as number);
    }
    builder.endRow();
    if (row % rowsPerBreath === 0) await breathe();
  }
  const index = encodeTextIndex(builder.finish());
  await breathe();
  if (column.nulls === undefined) return index;
  const bytes = new Uint8Array(index.length + alignUp(column.nulls.length, sectionAlignment));
  bytes.set(index);
  bytes.set(column.nulls, index.length);
  return bytes;
}

/** Settings without data for their language fail at queries, as they always did, not in the background. */
export function analyzerOf(settings: FullTextSearch): Analyzer | undefined {
  try {
    return createAnalyzer(settings);
  } catch (error) {
    if (isLagoonError(error, 'unimplemented') || isLagoonError(error, 'invalid_argument')) return undefined;
    throw error;
  }
}

async function documentsOf(columns: readonly NamedColumn[], rowCount: number, breathe: () => Promise<void>) {
  const stored = columns.filter(({ type }) => type.kind !== 'vector');
  const starts = cutDocuments(stored, rowCount);
  const blocks = [];
  for (let i = 0; i + 1 < starts.length; i++) {
    const from = starts[i] as number;
    blocks.push(encodeDocuments(stored, from, starts[i + 1] as number, from));
    await breathe();
  }
  return blocks;
}

interface SectionList {
  add(kind: SectionKind, column: number | undefined, granules: Granules, root?: Uint8Array): void;
  readonly list: readonly (SegmentSection & { readonly bytes: Uint8Array })[];
  /** Where the next section, or the footer, begins. */
  readonly end: number;
}

function createSectionList(): SectionList {
  const list: (SegmentSection & { readonly bytes: Uint8Array })[] = [];
  let end = segmentHeaderSize;
  return {
    add: (kind, column, granules, root = new Uint8Array(0)) => {
      const { bytes } = granules;
      list.push({ kind: sectionKind[kind], column, offset: end, length: bytes.length, ...granules, root });
      end = alignUp(end + bytes.length, sectionAlignment);
    },
    list,
    get end() {
      return end;
    },
  };
}

function assemble(sections: SectionList, footerOf: (list: readonly SegmentSection[]) => Uint8Array) {
  const footer = footerOf(sections.list);
  const bytes = new Uint8Array(sections.end + footer.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, segmentMagic, true);
  view.setUint32(4, segmentVersion, true);
  for (const section of sections.list) bytes.set(section.bytes, section.offset);
  bytes.set(footer, sections.end);
  const place = { offset: sections.end, size: footer.length, ...leadOf(sections.list, sections.end) };
  return { bytes, footer: place };
}

/** `rows[rank]` = row for `ranks[row]` = rank; a permutation. */
function inverseOf(ranks: Uint32Array): Uint32Array {
  const rows = new Uint32Array(ranks.length);
  const seen = new Uint8Array((ranks.length + 7) >>> 3);
  for (let row = 0; row < ranks.length; row++) {
    const rank = ranks[row] as number;
    assert(rank < ranks.length && !getBit(seen, rank), 'a row order has every row once');
    (seen[rank >>> 3] as number) |= 1 << (rank & 7);
    rows[rank] = row;
  }
  return rows;
}

function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
