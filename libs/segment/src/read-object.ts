import { corrupt, equalBytes, LagoonError, mapBounded, sha256 } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';

/** An immutable object as a manifest names it. */
export interface ObjectReference {
  readonly key: string;
  readonly size: number;
  readonly sha256: Uint8Array;
}

const rangeBytes = 8 << 20;
const concurrentRangeCountMax = 4;

/** Requests that `readObject` makes for an object of that size. */
export function readRequestCount(size: number): number {
  return Math.max(1, Math.ceil(size / rangeBytes));
}

/**
 * The whole object, read in ranges of 8 MiB, four at a time; verified against size and SHA-256 before anybody sees it.
 * Absent: `not_found` with reason `gone`, the sign to start over on a newer snapshot. Other bytes: `corrupt` naming the key.
 */
export async function readObject(
  store: ObjectStore,
  reference: ObjectReference,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const starts = Array.from({ length: readRequestCount(reference.size) }, (_, index) => index * rangeBytes);
  const parts = await mapBounded(
    starts,
    concurrentRangeCountMax,
    (start, _index, inner) => readRange(store, reference, start, inner),
    signal,
  );
  const bytes = join(parts, reference.size);
  if (!equalBytes(sha256(bytes), reference.sha256)) {
    throw corrupt('object has the wrong hash', { key: reference.key, size: reference.size });
  }
  return bytes;
}

async function readRange(
  store: ObjectStore,
  reference: ObjectReference,
  start: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const end = Math.min(start + rangeBytes, reference.size);
  const whole = start === 0 && end === reference.size;
  const object = await store.get(reference.key, whole ? {} : { range: { start, end } }, signal);
  if (object === undefined) {
    throw new LagoonError('not_found', 'object is missing', { reason: 'gone', context: { key: reference.key } });
  }
  if (object.objectSize !== reference.size || object.bytes.length !== end - start) {
    throw corrupt('object has the wrong size', {
      key: reference.key,
      expected: reference.size,
      found: object.objectSize,
    });
  }
  return object.bytes;
}

function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
