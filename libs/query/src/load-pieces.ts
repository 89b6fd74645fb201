import { assert } from '@lagoon/base';
import type { PinnedBlock } from '@lagoon/cache';
import { vectorElementBytes } from '@lagoon/format';
import type { SegmentColumn, SegmentReader } from '@lagoon/segment';
import { type AcquireDeps, acquireParts, type PinList } from './acquire-parts.ts';
import { inverseNormsOf } from './inverse-norms.ts';
import type { VisitedLeaves } from './piece-step.ts';
import { normsOffset } from './rank-pieces.ts';
import type { StoredPlace } from './stored-segment.ts';

/**
 * The lists of single leaves in the arena, codes or vectors, each a block of the cache of its own; those that are absent are read
 * together by at most so many requests. They are the pin list's, also where one of them fails.
 */
export async function loadPieces(
  deps: AcquireDeps,
  reader: SegmentReader,
  column: SegmentColumn,
  visited: VisitedLeaves,
  requestCountMax: number,
  pins: PinList,
  signal?: AbortSignal,
): Promise<readonly StoredPlace[]> {
  const { sizeOf, readAll } =
    visited.codes === undefined ? vectorPieces(reader, column, visited) : codePieces(reader, column, visited.codes);
  const kind = visited.codes === undefined ? 'vectors' : 'codes';
  const reads = {
    keyOf: (piece: number) => `${reader.key}#${kind} ${column.name}/${visited.leaves[piece]}`,
    sizeOf,
    runsOf: (absent: readonly number[]) => (absent.length === 0 ? [] : [absent]),
    readRun: (absent: readonly number[], inner: AbortSignal) => readAll(absent, requestCountMax, inner),
  };
  const acquired = await acquireParts(deps, [...visited.leaves.keys()], reads, pins, signal);
  return acquired.map(placeOf);
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

function placeOf({ block: { memoryIndex, offset, size } }: PinnedBlock): StoredPlace {
  return { memoryIndex, offset, size };
}
