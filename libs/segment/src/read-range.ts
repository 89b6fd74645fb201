import { concatBytes, corrupt, equalBytes, LagoonError, mapBounded, sha256 } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import type { ObjectReference } from './read-object.ts';

/** The bytes [start, end) of one immutable object. */
export type ReadRange = (start: number, end: number, signal?: AbortSignal) => Promise<Uint8Array>;

const pieceBytes = 8 << 20;
const concurrentPieceCountMax = 4;

/** Requests that one range of so many bytes takes. */
export function rangeRequestCount(size: number): number {
  return Math.max(1, Math.ceil(size / pieceBytes));
}

/**
 * Reads ranges of an object in a store: large ones in pieces of 8 MiB, four at a time. Absent: `not_found` with reason `gone`;
 * another size than the manifest says, or a short answer: `corrupt` naming the key. Contents are the caller's to verify.
 */
export function createRangeReader(
  store: ObjectStore,
  { key, size }: Pick<ObjectReference, 'key' | 'size'>,
  onRead: (byteCount: number) => void = () => {},
): ReadRange {
  const readPiece = async (start: number, end: number, signal?: AbortSignal): Promise<Uint8Array> => {
    const object = await store.get(key, start === 0 && end === size ? {} : { range: { start, end } }, signal);
    if (object === undefined) {
      throw new LagoonError('not_found', 'object is missing', { reason: 'gone', context: { key } });
    }
    if (object.objectSize !== size || object.bytes.length !== end - start) {
      throw corrupt('object has the wrong size', { key, expected: size, found: object.objectSize });
    }
    onRead(object.bytes.length);
    return object.bytes;
  };
  return async (start, end, signal) => {
    if (start < 0 || end > size || start > end) throw corrupt('range is not in its object', { key, start, end, size });
    if (end - start <= pieceBytes) return await readPiece(start, end, signal);
    const starts = Array.from({ length: rangeRequestCount(end - start) }, (_, index) => start + index * pieceBytes);
    const pieces = await mapBounded(
      starts,
      concurrentPieceCountMax,
      (from, _index, inner) => readPiece(from, Math.min(from + pieceBytes, end), inner),
      signal,
    );
    return concatBytes(pieces);
  };
}

/** Objects up to this size are read at once. */
const wholeBytesMax = 256 << 10;

/**
 * Reads a small object whole at its first range and keeps it, once its hash is verified: a request costs more than so many
 * bytes.
 */
export function wholeIfSmall(read: ReadRange, { key, size, sha256: hash }: ObjectReference): ReadRange {
  if (size > wholeBytesMax) return read;
  let whole: Uint8Array | undefined;
  return async (start, end, signal) => {
    if (whole === undefined) {
      const bytes = await read(0, size, signal);
      if (!equalBytes(sha256(bytes), hash)) throw corrupt('object has the wrong hash', { key, size });
      whole = bytes;
    }
    return whole.subarray(start, end);
  };
}
