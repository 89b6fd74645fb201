import { assert, corrupt } from '@lagoon/base';
import { bitmapBytes, compareIds, gatherIdsOf, type IdColumn, lowerBound } from '@lagoon/format';
import { granulePlaces } from './granules.ts';
import { decodeFirstIds, decodeIdBlock, decodeRowIdBlock, type IdBlock, joinIds } from './id-blocks.v1.ts';
import { createIdFilter } from './id-filter.v1.ts';
import { naming, required } from './named-errors.ts';
import type { GranuleReader } from './read-granules.ts';
import { findSection, granuleCountOf, type SegmentFooter } from './segment-footer.v1.ts';
import { idBlockRowCount } from './segment-layout.v1.ts';

/** The ids of a segment in their order, and where their rows lie. */
export interface SegmentIds {
  readonly ids: IdColumn;
  /** Row per id, a permutation; undefined: id r is that of row r. */
  readonly rows: Uint32Array | undefined;
}

export interface IdReader {
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
  /** Whether `readRowIds` can be asked: segments in another order than ids did not always have their ids by row. */
  readonly hasRowIds: boolean;
  /**
   * The ids of these rows, in the order of the rows, which may be any and name a row twice. All requests go out at once and are
   * at most `requestCountMax`. Asked only where `hasRowIds`.
   */
  readRowIds(rows: Uint32Array, requestCountMax: number, signal?: AbortSignal): Promise<IdColumn>;
}

export function createIdReader(key: string, footer: SegmentFooter, granules: GranuleReader): IdReader {
  const { idKind, rowCount, permuted } = footer;
  const { readGranules, readRanges } = granules;
  const section = required(key, findSection(footer, 'ids'));
  const rowSection = permuted ? findSection(footer, 'rowIds') : section;
  const step = idBlockRowCount[idKind];
  const blockCount = Math.ceil(rowCount / step);
  const countOf = (block: number): number => Math.min(step, rowCount - block * step);
  const decode = (bytes: Uint8Array, block: number): IdBlock =>
    naming(key, 'ids', block, () => decodeIdBlock(bytes, idKind, countOf(block), permuted));

  const readIdRows: IdReader['readIdRows'] = async (signal) => {
    const bytes = await readGranules(section, 0, granuleCountOf(section), signal);
    const { startOf } = granulePlaces(section);
    const blocks = Array.from({ length: blockCount }, (_, block) =>
      decode(bytes.subarray(startOf(block), startOf(block + 1)), block),
    );
    const column = joinIds(
      idKind,
      blocks.map((block) => block.ids),
    );
    checkAscending(key, column, step);
    return { ids: column, rows: permuted ? rowsOf(key, blocks, rowCount) : undefined };
  };
  return {
    idBytes: idKind === 'string' ? section.length - rowCount * (permuted ? 5 : 1) : 0,
    readIds: async (signal) => (await readIdRows(signal)).ids,
    readIdRows,
    findRow: async (wanted, index, signal) => {
      if (wanted.idKind !== idKind) return -1;
      const firsts = naming(key, 'first ids', undefined, () => decodeFirstIds(footer.firstIds, idKind, blockCount));
      const above = lowerBound(firsts, wanted, index, 0);
      const isFirst = above < firsts.count && compareIds(firsts, above, wanted, index) === 0;
      const block = isFirst ? above : above - 1;
      if (block < 0) return -1;
      const found = decode(await readGranules(section, block, block + 1, signal), block);
      const at = lowerBound(found.ids, wanted, index, 0);
      if (at === found.ids.count || compareIds(found.ids, at, wanted, index) !== 0) return -1;
      return found.rows === undefined ? block * step + at : (found.rows[at] as number);
    },
    readIdFilter: async (signal) => {
      const filter = required(key, findSection(footer, 'idFilter'));
      const bytes = await readGranules(filter, 0, granuleCountOf(filter), signal);
      return naming(key, 'id filter', undefined, () => createIdFilter(bytes));
    },
    hasRowIds: rowSection !== undefined,
    readRowIds: async (rows, requestCountMax, signal) => {
      assert(rowSection !== undefined, 'ids are read by row where they lie by row');
      const absent = rows.find((row) => row >= rowCount);
      if (absent !== undefined) throw corrupt('row is not in its segment', { key, row: absent, rowCount });
      const { startOf } = granulePlaces(rowSection);
      // Ascending, so that of the blocks only the last may be short.
      const blocks = [...new Set(Array.from(rows, (row) => Math.floor(row / step)))].sort((a, b) => a - b);
      const ranges = blocks.map((block) => ({ start: startOf(block), end: startOf(block + 1) }));
      const parts = await readRanges(rowSection, ranges, requestCountMax, signal);
      const decoded = parts.map((bytes, index) => {
        const block = blocks[index] as number;
        if (!permuted) return decode(bytes, block).ids;
        return naming(key, 'ids by row', block, () => decodeRowIdBlock(bytes, idKind, countOf(block)));
      });
      const firstOf = new Map(blocks.map((block, index) => [block, index * step]));
      const places = rows.map((row) => (firstOf.get(Math.floor(row / step)) as number) + (row % step));
      return gatherIdsOf([joinIds(idKind, decoded)], new Uint8Array(rows.length), places);
    },
  };
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
