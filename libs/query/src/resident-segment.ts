import { assert, corrupt, LagoonError, mapBounded } from '@lagoon/base';
import type { BlockCache, PinnedBlock } from '@lagoon/cache';
import { type AttributeRange, columnSize, type FullTextSearch, type NamedColumn } from '@lagoon/format';
import type { SegmentColumn, SegmentLists, SegmentPart, SegmentReader } from '@lagoon/segment';
import { loadPieces } from './load-pieces.ts';
import { lookUpFilter } from './look-up-filter.ts';
import { mayMatch } from './may-match.ts';
import { hasValueIndex, planLookup } from './plan-lookup.ts';
import { coversNeeds, noNeeds, type QueryNeeds, uniteNeeds } from './query-needs.ts';
import type { ResidentBlock } from './resident-block.ts';
import {
  addColumn,
  idPartSize,
  layOutIds,
  openStoredSegment,
  partCount,
  type StoredColumn,
  type StoredLists,
  type StoredPlace,
  type StoredSegment,
  type StoredText,
} from './stored-segment.ts';
import { termsKey } from './text-index-cache.ts';

export interface ResidentSegmentDeps {
  readonly cache: BlockCache;
  readonly onBlockGone: (blockId: number) => void;
  readonly onAcquired: (hit: boolean) => void;
}

/** Parts of one segment that are loaded at once. */
const concurrentPartCountMax = 4;

/**
 * A segment of which ids, columns and text indexes lie in the arena once a query needed them: each is a block of the cache of
 * its own, pinned as long as the segment is held.
 */
export function createResidentSegment(
  deps: ResidentSegmentDeps,
  blockId: number,
  reader: SegmentReader,
  ranges: readonly AttributeRange[],
): ResidentBlock {
  const { cache } = deps;
  const { key, footer } = reader;
  const { idKind, rowCount, permuted } = footer;
  const shape = { idKind, rowCount, permuted, idBytes: reader.idBytes };
  const pins: PinnedBlock[] = [];
  const columns: StoredColumn[] = [];
  const texts: StoredText[] = [];
  const lists: StoredLists[] = [];
  let ids: StoredPlace | undefined;
  let holderCount = 1;
  let ensured = noNeeds; // what is there stays as long as the segment is held

  const acquire = async (
    part: string,
    size: number,
    read: (inner: AbortSignal) => Promise<Uint8Array>,
    waiting?: AbortSignal,
  ): Promise<PinnedBlock> => {
    const load = async (target: Uint8Array, inner: AbortSignal): Promise<void> => {
      const bytes = await read(inner);
      if (bytes.length !== target.length) throw corrupt('part of a segment has another size', { key, part });
      target.set(bytes);
    };
    const pinned = await cache.acquire(`${key}#${part}`, size, load, waiting);
    deps.onAcquired(pinned.hit);
    return pinned;
  };
  /** The part is the segment's from now on, unless it came too late or twice. */
  const keep = (loaded: readonly PinnedBlock[], isThere: boolean): boolean => {
    if (holderCount > 0 && !isThere) {
      pins.push(...loaded);
      return true;
    }
    for (const pinned of loaded) pinned[Symbol.dispose]();
    if (holderCount === 0) throw new LagoonError('unavailable', 'segment was put out of memory', { context: { key } });
    return false;
  };
  const loadColumn = async (column: SegmentColumn, waiting?: AbortSignal): Promise<void> => {
    const isThere = (): boolean => columns.some(({ name }) => name === column.name);
    if (isThere()) return;
    const columnShape = reader.shapeOf(column);
    const read = (inner: AbortSignal): Promise<Uint8Array> => reader.readColumn(column, inner);
    const pinned = await acquire(`column ${column.name}`, columnSize(columnShape), read, waiting);
    if (!keep([pinned], isThere())) return;
    const stored = { ...placeOf(pinned), name: column.name, shape: columnShape };
    columns.push(stored);
    addColumn(loadedColumns, stored, pinned.block.bytes);
  };
  const loadText = async (column: SegmentColumn, settings: FullTextSearch, waiting?: AbortSignal): Promise<void> => {
    const isThere = (): boolean => texts.some(({ attribute }) => attribute === column.name);
    if (isThere()) return;
    const [size, indexSize] = [reader.textSize(column), reader.textIndexSize(column)];
    assert(size !== undefined && indexSize !== undefined, 'a text that is loaded is in the segment');
    const read = (inner: AbortSignal): Promise<Uint8Array> => reader.readText(column, inner);
    const pinned = await acquire(`text ${column.name}`, size, read, waiting);
    if (!keep([pinned], isThere())) return;
    texts.push({ ...placeOf(pinned), attribute: column.name, settings, indexSize, hasNulls: column.hasNulls });
  };

  /** Leaves, and the rows of positions with them. */
  const loadLeaves = async (column: SegmentColumn, parts: SegmentLists, waiting?: AbortSignal): Promise<void> => {
    const isThere = (): boolean => lists.some(({ attribute }) => attribute === column.name);
    if (isThere()) return;
    const load = (name: string, part: SegmentPart): Promise<PinnedBlock> =>
      acquire(`${name} ${column.name}`, part.size, (inner) => part.read(inner), waiting);
    const clusters = await load('clusters', parts.clusters);
    let rows: PinnedBlock | undefined;
    try {
      rows = parts.rows && (await load('rows', parts.rows));
    } catch (error) {
      clusters[Symbol.dispose]();
      throw error;
    }
    if (!keep(rows === undefined ? [clusters] : [clusters, rows], isThere())) return;
    const places = { clusters: placeOf(clusters), rows: rows && placeOf(rows), codes: undefined };
    lists.push({ attribute: column.name, ...places });
  };
  const loadLists = async (column: SegmentColumn, parts: SegmentLists, waiting?: AbortSignal): Promise<void> => {
    const { codes } = parts;
    const loadCodes = async (): Promise<PinnedBlock | undefined> =>
      codes && (await acquire(`codes ${column.name}`, codes.size, (inner) => codes.read(inner), waiting));
    const indexOfLists = (): number => lists.findIndex(({ attribute }) => attribute === column.name);
    if (lists[indexOfLists()]?.codes !== undefined) return;
    const pinned = await settleBoth(loadCodes(), loadLeaves(column, parts, waiting));
    const at = indexOfLists();
    const stored = lists[at];
    assert(stored !== undefined, 'leaves come with their codes');
    if (pinned === undefined || !keep([pinned], stored.codes !== undefined)) return;
    lists[at] = { ...stored, codes: placeOf(pinned) };
  };

  const loadedColumns = new Map<string, NamedColumn>();
  let described: StoredSegment = { ...shape, ids, columns: [], texts: [], lists: [] };
  let block = openStoredSegment(described, bytesOfNone, loadedColumns);
  const loadIds = async (waiting?: AbortSignal): Promise<void> => {
    if (ids !== undefined) return;
    const read = async (inner: AbortSignal): Promise<Uint8Array> => layOutIds(shape, await reader.readIdRows(inner));
    const pinned = await acquire('ids', idPartSize(shape), read, waiting);
    if (!keep([pinned], ids !== undefined)) return;
    ids = placeOf(pinned);
    block = openStoredSegment({ ...described, ids }, () => pinned.block.bytes, loadedColumns);
  };
  return {
    blockId,
    contentId: key,
    ...nowhere,
    get block() {
      return block;
    },
    get hasIds() {
      return ids !== undefined;
    },
    reader,
    get segment() {
      const parts = { ids, columns, texts, lists };
      if (partCount(described) < partCount(parts)) {
        described = { ...shape, ids, columns: [...columns], texts: [...texts], lists: [...lists] };
      }
      return described;
    },
    lacks: (needs) => !coversNeeds(ensured, needs),
    get heldBytes() {
      return pins.reduce((sum, pinned) => sum + pinned.block.size, 0);
    },
    ensure: async (needs, waiting) => {
      const loads = loadsFor(reader, needs, loadColumn, loadText, loadLists, loadLeaves);
      if (needs.ids === 'all') loads.push(loadIds);
      await mapBounded(loads, concurrentPartCountMax, (load, _index, inner) => load(inner), waiting);
      ensured = uniteNeeds(ensured, needs);
    },
    mayMatch: (filter) => mayMatch({ rowCount, ranges }, filter),
    lookUp: async (filter, lookedUp, waiting) => {
      const lookup = planLookup(reader, filter);
      return lookup && (await lookUpFilter(deps, key, lookup, lookedUp, waiting));
    },
    missingBytes: (attribute) => {
      const stored = lists.find((one) => one.attribute === attribute);
      const hasColumn = loadedColumns.has(attribute);
      if (ids !== undefined && hasColumn && stored?.codes !== undefined) return 0;
      const column = footer.columns.find(({ name }) => name === attribute);
      const parts = column && reader.lists(column);
      if (column === undefined) return 0;
      const sizeOf = (part: string, size: number): number => (cache.has(`${key}#${part}`) ? 0 : size);
      return (
        (ids === undefined ? sizeOf('ids', idPartSize(shape)) : 0) +
        (hasColumn ? 0 : sizeOf(`column ${attribute}`, columnSize(reader.shapeOf(column)))) +
        (stored?.codes === undefined ? sizeOf(`codes ${attribute}`, parts?.codes?.size ?? 0) : 0)
      );
    },
    loadPieces: async (attribute, visited, requestCountMax, pins, waiting) => {
      const column = footer.columns.find(({ name }) => name === attribute);
      assert(column !== undefined, 'a column whose leaves are visited is in the segment');
      return await loadPieces(deps, reader, column, visited, requestCountMax, pins, waiting);
    },
    retain: () => {
      assert(holderCount > 0, 'a block that is retained is held by somebody');
      holderCount++;
    },
    release: () => {
      assert(holderCount > 0, 'a block is released once per hold');
      if (--holderCount > 0) return;
      deps.onBlockGone(blockId);
      for (const pinned of pins) pinned[Symbol.dispose]();
    },
  };
}

/** A text whose terms were made by other settings is needed as a column: its index is built from it. */
function loadsFor(
  reader: SegmentReader,
  needs: QueryNeeds,
  loadColumn: (column: SegmentColumn, signal: AbortSignal) => Promise<void>,
  loadText: (column: SegmentColumn, settings: FullTextSearch, signal: AbortSignal) => Promise<void>,
  loadLists: (column: SegmentColumn, parts: SegmentLists, signal: AbortSignal) => Promise<void>,
  loadLeaves: (column: SegmentColumn, parts: SegmentLists, signal: AbortSignal) => Promise<void>,
): ((signal: AbortSignal) => Promise<void>)[] {
  return reader.footer.columns.flatMap((column) => {
    const settings = needs.texts.get(column.name);
    const stored = column.fullTextSearch;
    const isStored = settings !== undefined && stored !== undefined && termsKey(settings) === termsKey(stored);
    const loads: ((signal: AbortSignal) => Promise<void>)[] = [];
    const isListed = needs.lists.has(column.name);
    const lists = isListed || needs.leaves.has(column.name) ? reader.lists(column) : undefined;
    if (lists !== undefined) loads.push((signal) => (isListed ? loadLists : loadLeaves)(column, lists, signal));
    if (isStored) loads.push((signal) => loadText(column, stored, signal));
    const type = needs.filtered.get(column.name);
    const isScanned = type !== undefined && !hasValueIndex(reader, column.name, type);
    if (needs.columns.has(column.name) || isScanned || (settings !== undefined && !isStored)) {
      loads.push((signal) => loadColumn(column, signal));
    }
    return loads;
  });
}

/** The block is let go where the other one fails. */
async function settleBoth(
  block: Promise<PinnedBlock | undefined>,
  other: Promise<void>,
): Promise<PinnedBlock | undefined> {
  const [loaded, done] = await Promise.allSettled([block, other]);
  if (loaded.status === 'rejected') throw loaded.reason;
  if (done.status === 'fulfilled') return loaded.value;
  loaded.value?.[Symbol.dispose]();
  throw done.reason;
}

const nowhere: StoredPlace = { memoryIndex: 0, offset: 0, size: 0 };

function bytesOfNone(): Uint8Array {
  assert(false, 'a segment without parts has no bytes');
}

function placeOf({ block: { memoryIndex, offset, size } }: PinnedBlock): StoredPlace {
  return { memoryIndex, offset, size };
}
