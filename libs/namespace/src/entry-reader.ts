import type { GetOptions, ObjectStore, Stamp } from '@lagoon/object-store';
import type { LogContext } from './context.ts';
import { batchOf, type DecodedEntry, decodeEntry } from './entry.v1.ts';
import { aligned, readBatchBody, readVerified } from './entry-body.ts';
import { type FoldEntry, isForeignManifest } from './fold.ts';
import { readInheritance } from './inheritance.ts';
import { logKey } from './keys.ts';
import { type ManifestSource, readManifest } from './manifest-reader.ts';
import { referenceFromStored } from './object-reference.ts';
import type { Proof } from './view.ts';

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
  return { entry: await completeEntry(context, source, decoded, signal), sent, stamp };
}

interface EntrySource {
  readonly name: string;
  readonly generation: number;
  readonly key: string;
  readonly manifestsKnownThrough: number;
}

/** Reads what a decoded entry names. */
async function completeEntry(
  from: ManifestSource,
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
    return { ...entry, manifest: await readManifest(from, name, reference, generation, signal) };
  }
  const own = await withOwnParts(from.store, source, entry, signal);
  if (header.kind.case !== 'birth' || header.kind.value.origin === undefined) return own;
  const wantsManifest = generation >= source.manifestsKnownThrough;
  const inheritance = await readInheritance(from, { name, generation, key, wantsManifest }, header, signal);
  const { manifest, tail } = inheritance;
  return {
    ...own,
    parts: [...tail.parts, ...own.parts],
    sizeBytes: own.sizeBytes + tail.sizeBytes,
    inheritedTail: tail,
    ...(manifest === undefined ? {} : { manifest }),
  };
}

async function withOwnParts(
  store: ObjectStore,
  source: EntrySource,
  entry: ReadEntry,
  signal?: AbortSignal,
): Promise<ReadEntry> {
  const batch = batchOf(entry.header);
  if (batch?.body === undefined) return entry;
  const { parts, sizeBytes } = await readBatchBody(store, source.name, source.key, batch, signal);
  return { ...entry, parts, sizeBytes: entry.sizeBytes + sizeBytes };
}
