import { alignUp } from '@lagoon/base';
import {
  type AttributeRange,
  type AttributeType,
  type Block,
  type Column,
  type ColumnStream,
  concatenateColumns,
  createColumnStream,
  type IdColumn,
  missingColumn,
  type NamedColumn,
  openColumn,
  type PartName,
  type Schema,
  sliceColumns,
} from '@lagoon/format';
import { createTextIndexSpool, type TextIndexSpool } from '@lagoon/text';
import { createRangesBuilder } from './attribute-ranges.ts';
import { cutDocuments, encodeDocuments } from './document-blocks.v1.ts';
import { encodeFirstIds } from './id-blocks.v1.ts';
import { createObjectSpool, type ObjectSpool, type SpooledObject } from './object-spool.ts';
import type { Scratch, ScratchFile } from './scratch.ts';
import { encodeFooter, type SegmentColumn, type SegmentIdentity } from './segment-footer.v1.ts';
import { indexedRowCountMin, largeGranuleBytes, sectionAlignment } from './segment-layout.v1.ts';
import {
  addIds,
  addLists,
  analyzerOf,
  columnGranuleSize,
  indexesOf,
  isStoredAsColumn,
  type VectorLists,
} from './write-segment.v1.ts';

export interface SpoolColumn {
  readonly name: string;
  readonly type: AttributeType;
}

export interface SpoolSegmentOptions {
  readonly scratch: Scratch;
  /** Bytes of texts whose index is built in memory at one time, over all columns. */
  readonly textBytesMax: number;
  readonly indexedRowCountMin?: number;
  readonly breathe: () => Promise<void>;
}

/**
 * Writes a segment whose rows come in pieces: the very bytes that `writeSegment` gives for all of them at once. What is not in its final place
 * yet lies in scratch files. Memory: a piece a few times, the texts of `textBytesMax` about four times, ids, and one filterable attribute with
 * its index.
 */
export interface SegmentSpool {
  /** The next rows, in the order of the segment; columns by name, those that are not there miss their values. */
  append(rows: Pick<Block, 'rowCount' | 'columns'>): Promise<void>;
  /** `ids` ascend; `ranks`: the rank of each row's id, where rows are in another order. */
  finish(
    ids: IdColumn,
    ranks: Uint32Array | undefined,
    logicalBytes: number,
    lists?: ReadonlyMap<string, VectorLists>,
  ): Promise<SpooledSegment>;
}

export interface SpooledSegment extends SpooledObject {
  /** For the manifest too. */
  readonly attributeRanges: readonly AttributeRange[];
}

export function createSegmentSpool(
  columns: readonly SpoolColumn[],
  schema: Schema,
  identity: SegmentIdentity,
  options: SpoolSegmentOptions,
): SegmentSpool {
  const { scratch, breathe } = options;
  const texts = columns.filter(({ name }) => schema.attributes.get(name)?.fullTextSearch !== undefined).length;
  const runTextBytesMax = Math.ceil(options.textBytesMax / Math.max(1, texts));
  const spools = columns.map((column) => createColumnSpool(column, schema, scratch, runTextBytesMax));
  const documents = createDocumentSpool(columns, scratch);
  const ranges = createRangesBuilder(schema);
  return {
    append: async ({ rowCount, columns: given }) => {
      for (const spool of spools) {
        const column = given.get(spool.name)?.column ?? missingColumn(spool.type, rowCount);
        spool.append(column, rowCount);
        ranges.add(spool.name, column, rowCount);
        await breathe();
      }
      await documents.append(given, rowCount, breathe);
    },
    finish: async (ids, ranks, logicalBytes, lists) => {
      await documents.finish(breathe);
      const object = createObjectSpool(scratch);
      addIds(object, ids, ranks);
      await breathe();
      const described: SegmentColumn[] = [];
      const isIndexed = ids.count >= (options.indexedRowCountMin ?? indexedRowCountMin);
      for (const [index, spool] of spools.entries()) {
        described.push(await spool.finish(object, index, isIndexed, breathe));
      }
      const { file, lengths, rowCounts, rawSizes } = documents;
      object.stream('documents', undefined, lengths, (write) => copy(file, write));
      file.remove();
      addLists(object, described, lists ?? new Map());
      const attributeRanges = ranges.finish(ids.count);
      const finished = object.finish((sections) =>
        encodeFooter({
          ...identity,
          idKind: ids.idKind,
          rowCount: ids.count,
          logicalBytes,
          sections,
          columns: described,
          firstIds: encodeFirstIds(ids),
          permuted: ranks !== undefined,
          documentRowCounts: rowCounts,
          documentRawSizes: rawSizes,
          attributeRanges,
        }),
      );
      return { ...finished, attributeRanges };
    },
  };
}

interface ColumnSpool extends SpoolColumn {
  append(column: Column, rowCount: number): void;
  /** Writes the sections of the column. */
  finish(object: ObjectSpool, index: number, isIndexed: boolean, breathe: () => Promise<void>): Promise<SegmentColumn>;
}

function createColumnSpool(
  { name, type }: SpoolColumn,
  schema: Schema,
  scratch: Scratch,
  runTextBytesMax: number,
): ColumnSpool {
  const isStored = isStoredAsColumn({ name, type }, schema);
  const settings = schema.attributes.get(name)?.fullTextSearch;
  const files = new Map<PartName, ScratchFile>();
  const stream: ColumnStream = createColumnStream(type, (part) => {
    if (!isStored && part !== 'nulls') return { append: () => {} };
    const file = scratch.create();
    files.set(part, file);
    return file;
  });
  const isText = type.kind !== 'vector' && type.scalar === 'string';
  const analyzer = settings === undefined || !isText ? undefined : analyzerOf(settings);
  const text = analyzer === undefined ? undefined : createTextIndexSpool(analyzer, scratch.create, { runTextBytesMax });

  return {
    name,
    type,
    append: (column, rowCount) => {
      stream.append(column, rowCount);
      if (text !== undefined) addTexts(text, column, rowCount);
    },
    finish: async (object, index, isIndexed, breathe) => {
      const { shape, parts, size } = stream.finish();
      const nulls = shape.hasNulls ? files.get('nulls') : undefined;
      const layOut = (write: (bytes: Uint8Array) => void): void => {
        let written = 0;
        for (const [part, { offset, length }] of parts) {
          write(new Uint8Array(offset - written));
          const file = files.get(part);
          if (file !== undefined) copy(file, write);
          written = offset + length;
        }
        write(new Uint8Array(size - written));
      };
      if (isStored) object.stream('column', index, columnGranuleSize({ type }), layOut);
      await breathe();
      if (text !== undefined) {
        object.stream('text', index, largeGranuleBytes, (write) => {
          text.finish(write);
          if (nulls === undefined) return;
          copy(nulls, write);
          write(new Uint8Array(alignUp(nulls.size, sectionAlignment) - nulls.size));
        });
        await breathe();
      }
      if (isIndexed && isStored && type.kind !== 'vector') {
        const bytes = new Uint8Array(size);
        let at = 0;
        layOut((part) => {
          bytes.set(part, at);
          at += part.length;
        });
        const column = openColumn(bytes, shape);
        for (const { kind, encoded } of indexesOf({ name, type, column }, shape.rowCount, schema)) {
          object.add(kind, index, encoded.granules, encoded.root);
          await breathe();
        }
      }
      for (const file of files.values()) file.remove();
      const { hasNulls, elementCount, valueBytes } = shape;
      return {
        name,
        type,
        hasNulls,
        elementCount,
        valueBytes,
        fullTextSearch: text === undefined ? undefined : settings,
      };
    },
  };
}

function addTexts(text: TextIndexSpool, column: Column, rowCount: number): void {
  const strings = column.kind === 'array' ? column.elements : column;
  for (let row = 0; row < rowCount; row++) {
    const from = column.kind === 'array' ? (column.rowOffsets[row] as number) : row;
    const to = column.kind === 'array' ? (column.rowOffsets[row + 1] as number) : row + 1;
    if ('offsets' in strings) {
      for (let i = from; i < to; i++) {
        text.addText(strings.bytes, strings.offsets[i] as number, strings.offsets[i + 1] as number);
      }
    }
    text.endRow();
  }
}

/** Blocks of documents are cut where they would be if all rows were there at once: the last of a piece waits for the next piece. */
function createDocumentSpool(columns: readonly SpoolColumn[], scratch: Scratch) {
  const stored = columns.filter(({ type }) => type.kind !== 'vector');
  const file = scratch.create();
  const lengths: number[] = [];
  const rowCounts: number[] = [];
  const rawSizes: number[] = [];
  let waiting: { readonly rowCount: number; readonly columns: NamedColumn[] } = { rowCount: 0, columns: [] };
  let firstRow = 0;

  const write = async (count: number, starts: readonly number[], breathe: () => Promise<void>): Promise<void> => {
    for (let i = 0; i < count; i++) {
      const from = starts[i] as number;
      const to = starts[i + 1] as number;
      const { compressed, rowCount, rawSize } = encodeDocuments(waiting.columns, from, to, firstRow + from);
      file.append(compressed);
      lengths.push(compressed.length);
      rowCounts.push(rowCount);
      rawSizes.push(rawSize);
      await breathe();
    }
  };

  return {
    file,
    lengths,
    rowCounts,
    rawSizes,
    append: async (given: ReadonlyMap<string, NamedColumn>, rowCount: number, breathe: () => Promise<void>) => {
      const named = stored.map(
        ({ name, type }) => given.get(name) ?? { name, type, column: missingColumn(type, rowCount) },
      );
      const pieces = [waiting, { rowCount, columns: named }].filter((piece) => piece.rowCount > 0);
      const all = concatenateColumns(
        pieces.map((piece) => ({ ...piece, columns: new Map(piece.columns.map((one) => [one.name, one])) })),
      );
      waiting = { rowCount: waiting.rowCount + rowCount, columns: all };
      const starts = cutDocuments(all, waiting.rowCount);
      await write(starts.length - 2, starts, breathe);
      const rest = starts.at(-2) ?? 0;
      firstRow += rest;
      waiting = { rowCount: waiting.rowCount - rest, columns: sliceColumns(all, rest, waiting.rowCount) };
    },
    finish: async (breathe: () => Promise<void>) => {
      if (waiting.rowCount > 0) await write(1, [0, waiting.rowCount], breathe);
      waiting = { rowCount: 0, columns: [] };
    },
  };
}

const copyBytes = 256 << 10;

function copy(file: ScratchFile, write: (bytes: Uint8Array) => void): void {
  for (let at = 0; at < file.size; at += copyBytes) write(file.read(at, Math.min(at + copyBytes, file.size)));
}
