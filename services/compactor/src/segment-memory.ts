import { type IdColumn, openBlock } from '@lagoon/format';
import type { SegmentReference } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import {
  createRangeReader,
  type FooterPlace,
  openSegment,
  readDeleteVector,
  readSegmentRows,
  type SegmentIds,
  type SegmentReader,
} from '@lagoon/segment';

/**
 * Ids and dead rows of segments, kept by object key and bounded by bytes: an index job needs them of every older segment,
 * and reads the objects only where they are not here. Both are immutable, so nothing here can be stale.
 */
export interface SegmentMemory {
  idsOf(segment: SegmentReference, signal?: AbortSignal): Promise<SegmentIds>;
  /** Whether it is certain, without its ids, that the segment has none of these. False where the ids are here, or cheap. */
  lacks(segment: SegmentReference, ids: readonly IdColumn[], signal?: AbortSignal): Promise<boolean>;
  deadRowsOf(segment: SegmentReference, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  /** What this process has just built, so that it need not be read back. */
  rememberIds(key: string, ids: SegmentIds): void;
  rememberDeadRows(key: string, dead: Uint8Array): void;
}

/** One absent id in a hundred passes the filter: with more of them it would hardly ever save reading the ids. */
const filterIdCountMax = 64;
/** Ids of fewer rows are not worth a look at the filter first. */
const filterRowCountMin = 10_000;

export function createSegmentMemory(store: ObjectStore, bytesMax: number): SegmentMemory {
  const ids = createBytesLru<SegmentIds>(bytesMax, sizeOfIds);
  const dead = createBytesLru<Uint8Array>(bytesMax >> 2, (bitmap) => bitmap.byteLength);
  return {
    idsOf: async (segment, signal) => {
      const known = ids.get(segment.object.key);
      if (known !== undefined) return known;
      const copy = await readIds(store, segment, signal);
      ids.set(segment.object.key, copy);
      return copy;
    },
    lacks: async (segment, wanted, signal) => {
      if (
        segment.footer === undefined ||
        segment.rowCount < filterRowCountMin ||
        ids.get(segment.object.key) !== undefined
      ) {
        return false;
      }
      if (wanted.reduce((sum, column) => sum + column.count, 0) > filterIdCountMax) return false;
      const mayHold = await (await openParts(store, segment, segment.footer, signal)).readIdFilter(signal);
      return wanted.every((column) => {
        for (let row = 0; row < column.count; row++) if (mayHold(column, row)) return false;
        return true;
      });
    },
    deadRowsOf: async (segment, signal) => {
      const reference = segment.deleteVector;
      if (reference?.kind !== 'object') return await readDeleteVector(store, reference, segment.rowCount, signal);
      const known = dead.get(reference.object.key);
      if (known !== undefined) return known;
      const read = await readDeleteVector(store, reference, segment.rowCount, signal);
      if (read !== undefined) dead.set(reference.object.key, read);
      return read;
    },
    rememberIds: (key, column) => ids.set(key, copyIds(column)),
    rememberDeadRows: (key, bitmap) => dead.set(key, bitmap),
  };
}

async function readIds(store: ObjectStore, segment: SegmentReference, signal?: AbortSignal): Promise<SegmentIds> {
  const { object, footer } = segment;
  if (footer === undefined) {
    const { bytes } = await readSegmentRows(store, object, signal);
    return copyIds({ ids: openBlock(bytes, { verify: false }).ids, rows: undefined });
  }
  return await (await openParts(store, segment, footer, signal)).readIdRows(signal);
}

function openParts(
  store: ObjectStore,
  { object }: SegmentReference,
  { offset, size }: FooterPlace, // without its lead: no list is read
  signal?: AbortSignal,
): Promise<SegmentReader> {
  return openSegment(createRangeReader(store, object), { key: object.key, footer: { offset, size } }, signal);
}

/** A copy that does not hold on to the whole block. */
function copyIds({ ids, rows }: SegmentIds): SegmentIds {
  return { ids: copyColumn(ids), rows: rows?.slice() };
}

function copyColumn(ids: IdColumn): IdColumn {
  if (ids.idKind === 'u64') return { ...ids, values: ids.values.slice() };
  if (ids.idKind === 'uuid') return { ...ids, bytes: ids.bytes.slice() };
  return { ...ids, offsets: ids.offsets.slice(), bytes: ids.bytes.slice() };
}

function sizeOfIds({ ids, rows }: SegmentIds): number {
  const rowBytes = rows?.byteLength ?? 0;
  if (ids.idKind === 'u64') return rowBytes + ids.values.byteLength;
  return rowBytes + ids.bytes.byteLength + (ids.idKind === 'string' ? ids.offsets.byteLength : 0);
}

interface BytesLru<V> {
  get(key: string): V | undefined;
  set(key: string, value: V): void;
}

function createBytesLru<V>(bytesMax: number, sizeOf: (value: V) => number): BytesLru<V> {
  const values = new Map<string, V>();
  let bytes = 0;
  const remove = (key: string, value: V): void => {
    values.delete(key);
    bytes -= sizeOf(value);
  };
  return {
    get: (key) => {
      const value = values.get(key);
      if (value === undefined) return undefined;
      values.delete(key);
      values.set(key, value);
      return value;
    },
    set: (key, value) => {
      const present = values.get(key);
      if (present !== undefined) remove(key, present);
      if (sizeOf(value) > bytesMax) return;
      values.set(key, value);
      bytes += sizeOf(value);
      for (const [oldest, old] of values) {
        if (bytes <= bytesMax) return;
        remove(oldest, old);
      }
    },
  };
}
