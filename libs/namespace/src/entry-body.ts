import { corrupt, equalBytes, isLagoonError, sha256 } from '@lagoon/base';
import type { GetOptions, ObjectStore } from '@lagoon/object-store';
import type { BatchEntry } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { layoutParts } from './entry.v1.ts';
import { namespacePrefix } from './keys.ts';
import { referenceFromStored } from './object-reference.ts';
import { toSafeNumber } from './proto-number.ts';
import type { ObjectReference } from './view.ts';

/** Largest body of a batch or a manifest that a reader takes. */
export const bodyBytesMax = 512 << 20;

/** How often an object is fetched until its bytes are what was written: some damage happens on the way. */
const fetchCountMax = 3;

/** Fetches and decodes; damaged bytes are fetched again before `corrupt` is believed. Undefined: no such key. */
export async function readVerified<R>(
  store: ObjectStore,
  key: string,
  options: GetOptions,
  signal: AbortSignal | undefined,
  decode: (bytes: Uint8Array) => R,
): Promise<R | undefined> {
  for (let fetchCount = 1; ; fetchCount++) {
    const object = await store.get(key, options, signal);
    if (object === undefined) return undefined;
    try {
      return decode(object.bytes);
    } catch (error) {
      if (fetchCount >= fetchCountMax || !isLagoonError(error, 'corrupt')) throw error;
    }
  }
}

/** The parts of a batch that lie in a body; `within` is the key of its entry. */
export async function readBatchBody(
  store: ObjectStore,
  name: string,
  within: string,
  batch: BatchEntry,
  signal?: AbortSignal,
): Promise<{ readonly parts: readonly Uint8Array[]; readonly sizeBytes: number }> {
  const reference = referenceFromStored(within, batch.body);
  const bytes = aligned(await readBody(store, name, reference, signal));
  const sizes = batch.partSizes.map((size) => toSafeNumber(size, { key: reference.key }));
  const { starts, end } = layoutParts(0, sizes);
  if (end !== bytes.byteLength) throw corrupt('body of another size than its parts', { key: reference.key });
  const parts = sizes.map((size, index) => bytes.subarray(starts[index], (starts[index] ?? 0) + size));
  return { parts, sizeBytes: reference.size };
}

/** The verified bytes of an immutable object of the namespace. */
export async function readBody(
  store: ObjectStore,
  name: string,
  reference: ObjectReference,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { key, size } = reference;
  if (!key.startsWith(`${namespacePrefix(name)}body/`)) throw corrupt('body outside its namespace', { key });
  if (size > bodyBytesMax) throw corrupt('body larger than any that is written', { key, size });
  const bytes = await readVerified(store, key, {}, signal, (found) => {
    checkBody(reference, found);
    return found;
  });
  if (bytes === undefined) throw corrupt('body is missing', { key });
  return bytes;
}

/** Throws `corrupt` unless the bytes are what the reference names. */
export function checkBody(reference: ObjectReference, bytes: Uint8Array): void {
  const { key, size } = reference;
  if (bytes.byteLength !== size || !equalBytes(sha256(bytes), reference.sha256)) {
    throw corrupt('body does not match its hash', { key, size, sizeFound: bytes.byteLength });
  }
}

/** Parts are 16-byte aligned in their object; so that they are in memory too, an object at an odd place is moved. */
export function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 16 === 0 ? bytes : bytes.slice();
}
