import { corrupt, equalBytes, isLagoonError, sha256 } from '@lagoon/base';
import type { GetOptions, ObjectStore, Stamp } from '@lagoon/object-store';
import type { BatchEntry } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import type { LogContext } from './context.ts';
import { batchOf, type DecodedEntry, decodeEntry, layoutParts } from './entry.v1.ts';
import { type FoldEntry, isForeignManifest } from './fold.ts';
import { logKey, namespacePrefix } from './keys.ts';
import { checkManifest } from './manifest.ts';
import { decodeManifest } from './manifest-codec.ts';
import { referenceFromStored } from './object-reference.ts';
import { toSafeNumber } from './proto-number.ts';
import type { Manifest, ObjectReference, Proof } from './view.ts';

/** Largest body of a batch or a manifest that a reader takes. */
export const bodyBytesMax = 512 << 20;

/** An entry with everything that belongs to it: its batch's parts, its manifest. */
export interface ReadEntry extends FoldEntry {
  readonly parts: readonly Uint8Array[];
}

/** What a read of log/<generation> told, and when it was sent. */
export interface Probe {
  readonly entry: ReadEntry | undefined;
  readonly sent: Proof;
  readonly stamp: Stamp | undefined;
}

/**
 * Reads one generation and its body. Throws `corrupt`, also where the body is missing.
 * Bodies of manifests up to `manifestsKnownThrough` are not read: they are of no use any more, and may be gone.
 */
export async function readEntry(
  context: LogContext,
  name: string,
  generation: number,
  manifestsKnownThrough: number,
  signal?: AbortSignal,
): Promise<Probe> {
  const key = logKey(name, generation);
  const sent = context.time.now();
  const stamps: Stamp[] = [];
  const options: GetOptions = { onStamp: (answer) => stamps.push(answer) };
  const decoded = await readVerified(context.store, key, options, signal, (bytes) => decodeEntry(key, aligned(bytes)));
  const stamp = stamps.at(-1);
  context.time.answered(stamp);
  if (decoded === undefined) return { entry: undefined, sent, stamp };
  const source = { name, generation, key, manifestsKnownThrough };
  return { entry: await completeEntry(context.store, source, decoded, signal), sent, stamp };
}

/** How often an object is fetched until its bytes are what was written: some damage happens on the way. */
const fetchCountMax = 3;

/** Fetches and decodes; damaged bytes are fetched again before `corrupt` is believed. Undefined: no such key. */
async function readVerified<R>(
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

interface EntrySource {
  readonly name: string;
  readonly generation: number;
  readonly key: string;
  readonly manifestsKnownThrough: number;
}

/** Reads what a decoded entry names. */
async function completeEntry(
  store: ObjectStore,
  source: EntrySource,
  decoded: DecodedEntry,
  signal?: AbortSignal,
): Promise<ReadEntry> {
  const { name, generation, key } = source;
  const { header, hash, sizeBytes } = decoded;
  const entry = { generation, header, hash, sizeBytes, parts: decoded.parts };
  if (header.kind.case === 'manifest') {
    const isKnown = generation <= source.manifestsKnownThrough;
    if (isKnown || isForeignManifest(header, header.kind.value)) return entry;
    const reference = referenceFromStored(key, header.kind.value.body);
    return { ...entry, manifest: await readManifest(store, name, reference, generation, signal) };
  }
  const batch = batchOf(header);
  if (batch?.body === undefined) return entry;
  const reference = referenceFromStored(key, batch.body);
  const parts = await readBatchBody(store, name, reference, batch, signal);
  return { ...entry, parts, sizeBytes: sizeBytes + reference.size };
}

export async function readManifest(
  store: ObjectStore,
  name: string,
  reference: ObjectReference,
  generation: number,
  signal?: AbortSignal,
): Promise<Manifest> {
  return manifestFromBytes(reference, await readBody(store, name, reference, signal), generation);
}

/** A manifest out of bytes that are verified already. */
export function manifestFromBytes(reference: ObjectReference, bytes: Uint8Array, generation: number): Manifest {
  const manifest = decodeManifest(reference.key, bytes, generation);
  checkManifest(manifest);
  return manifest;
}

async function readBatchBody(
  store: ObjectStore,
  name: string,
  reference: ObjectReference,
  batch: BatchEntry,
  signal?: AbortSignal,
): Promise<Uint8Array[]> {
  const bytes = aligned(await readBody(store, name, reference, signal));
  const sizes = batch.partSizes.map((size) => toSafeNumber(size, { key: reference.key }));
  const { starts, end } = layoutParts(0, sizes);
  if (end !== bytes.byteLength) throw corrupt('body of another size than its parts', { key: reference.key });
  return sizes.map((size, index) => bytes.subarray(starts[index], (starts[index] ?? 0) + size));
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
function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 16 === 0 ? bytes : bytes.slice();
}
