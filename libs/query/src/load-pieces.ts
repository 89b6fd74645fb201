import { assert } from '@lagoon/base';
import type { BlockLoader, PinnedBlock } from '@lagoon/cache';
import { vectorElementBytes } from '@lagoon/format';
import type { SegmentColumn, SegmentReader } from '@lagoon/segment';
import type { IndexGranulesDeps, PinList } from './index-granules.ts';
import { inverseNormsOf } from './inverse-norms.ts';
import type { VisitedLeaves } from './piece-step.ts';
import { normsOffset } from './rank-pieces.ts';
import type { StoredPlace } from './stored-segment.ts';

/**
 * The lists of single leaves in the arena, codes or vectors, each a block of the cache of its own; those that are absent are read
 * together by at most so many requests. They are the pin list's, also where one of them fails.
 */
export async function loadPieces(
  deps: IndexGranulesDeps,
  reader: SegmentReader,
  column: SegmentColumn,
  visited: VisitedLeaves,
  requestCountMax: number,
  pins: PinList,
  signal?: AbortSignal,
): Promise<readonly StoredPlace[]> {
  const { sizeOf, readAll } =
    visited.codes === undefined ? vectorPieces(reader, column, visited) : codePieces(reader, column, visited.codes);
  const reads = createGatheredRead((wanted, inner) => readAll(wanted, requestCountMax, inner));
  const kind = visited.codes === undefined ? 'vectors' : 'codes';
  const acquired = Array.from(visited.leaves, (leaf, i) =>
    deps.cache.acquire(`${reader.key}#${kind} ${column.name}/${leaf}`, sizeOf(i), reads.loaderOf(i), signal),
  );
  reads.start(); // every loader that is needed has been called
  const settled = await Promise.allSettled(acquired);
  const places: StoredPlace[] = [];
  let failure: unknown;
  for (const one of settled) {
    if (one.status === 'rejected') failure ??= one.reason;
    else {
      pins.add(one.value);
      deps.onAcquired(one.value.hit);
      places.push(placeOf(one.value));
    }
  }
  if (places.length < visited.leaves.length) throw failure;
  return places;
}

interface Pieces {
  sizeOf(index: number): number;
  readAll(indexes: readonly number[], requestCountMax: number, signal: AbortSignal): Promise<readonly Uint8Array[]>;
}

function codePieces(reader: SegmentReader, column: SegmentColumn, codes: NonNullable<VisitedLeaves['codes']>): Pieces {
  const lists = reader.lists(column);
  assert(lists !== undefined, 'a column whose leaves are visited has lists');
  const rangeOf = (index: number) => codes[index] as (typeof codes)[number];
  return {
    sizeOf: (index) => rangeOf(index).end - rangeOf(index).start,
    readAll: (indexes, requestCountMax, signal) => lists.readCodes(indexes.map(rangeOf), requestCountMax, signal),
  };
}

/** Vectors with their inverse norms behind them. */
function vectorPieces(reader: SegmentReader, column: SegmentColumn, { froms, tos }: VisitedLeaves): Pieces {
  assert(column.type.kind === 'vector', 'pieces are of vectors');
  const { element, dims } = column.type;
  const rowBytes = vectorElementBytes(element) * dims;
  const rangeOf = (index: number) => ({ from: froms[index] as number, to: tos[index] as number });
  return {
    sizeOf: (index) => {
      const { from, to } = rangeOf(index);
      return normsOffset(to - from, rowBytes) + 4 * (to - from);
    },
    readAll: async (indexes, requestCountMax, signal) => {
      const parts = await reader.readVectorRanges(column, indexes.map(rangeOf), requestCountMax, signal);
      return parts.map((part) => {
        const rowCount = part.length / rowBytes;
        const bytes = new Uint8Array(normsOffset(rowCount, rowBytes) + 4 * rowCount);
        bytes.set(part);
        const norms = new Float32Array(bytes.buffer, normsOffset(rowCount, rowBytes), rowCount);
        norms.set(inverseNormsOf(element, dims, bytes.subarray(0, part.length), norms.keys()));
        return bytes;
      });
    },
  };
}

interface Wanted {
  readonly index: number;
  readonly target: Uint8Array;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One reading for all that turn out to be absent; given up when nobody waits for any of them. */
function createGatheredRead(
  read: (indexes: readonly number[], signal: AbortSignal) => Promise<readonly Uint8Array[]>,
): { loaderOf(index: number): BlockLoader; start(): void } {
  const wanted: Wanted[] = [];
  const readWanted = async (): Promise<void> => {
    const controller = new AbortController();
    let waitingCount = wanted.length;
    for (const { signal } of wanted) {
      signal.addEventListener('abort', () => {
        if (--waitingCount === 0) controller.abort(signal.reason);
      });
    }
    try {
      const indexes = wanted.map(({ index }) => index);
      const parts = await read(indexes, controller.signal);
      for (const [i, { target, resolve }] of wanted.entries()) {
        target.set(parts[i] as Uint8Array);
        resolve();
      }
    } catch (error) {
      for (const { reject } of wanted) reject(error);
    }
  };
  return {
    loaderOf: (index) => (target, signal) =>
      new Promise((resolve, reject) => void wanted.push({ index, target, signal, resolve, reject })),
    start: () => {
      if (wanted.length > 0) void readWanted();
    },
  };
}

function placeOf({ block: { memoryIndex, offset, size } }: PinnedBlock): StoredPlace {
  return { memoryIndex, offset, size };
}
