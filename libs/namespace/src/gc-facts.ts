import type { Message } from '@bufbuild/protobuf';
import { corrupt, equalBytes, isLagoonError, sha256 } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import type { Entry, Instant, ManifestPart } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { batchOf, decodeEntry, decodeEntryHeader } from './entry.v1.ts';
import { isForeignManifest } from './fold.ts';
import { parseKeyAs } from './keys.ts';
import { namedKeys } from './manifest.ts';
import { decodeStoredManifest } from './manifest-codec.ts';
import { createPartCache, type ManifestSource, manifestOf, readParts } from './manifest-reader.ts';
import { referenceFromStored } from './object-reference.ts';
import { toSafeNumber } from './proto-number.ts';
import { createRecent } from './recent.ts';
import type { ObjectReference } from './view.ts';

/** Entries of one log, both ends included. */
export interface LogSpan {
  readonly name: string;
  readonly first: number;
  readonly last: number;
}

/** What reading an instant takes: a manifest's body, with what that names, and log entries by name. */
export interface Needs {
  readonly manifestBody: ObjectReference | undefined;
  readonly spans: readonly LogSpan[];
}

/** What garbage collection knows of an entry: no rows, and small enough to keep. */
export interface EntryFacts {
  readonly kind: 'birth' | 'batch' | 'manifest' | 'truncate' | 'aborted';
  readonly incarnation: string;
  /** Empty where the entry does not say. */
  readonly family: string;
  /** Whether it adds to the tail. */
  readonly isTail: boolean;
  /** Of the batch. */
  readonly bodyKey: string | undefined;
  /** Undefined for a manifest that readers ignore. */
  readonly manifestBody: ObjectReference | undefined;
  /** Of a birth from another's instant. */
  readonly origin: Needs | undefined;
  readonly revokedJobs: readonly string[];
}

/** What a manifest's body names. */
export interface ManifestFacts {
  readonly incarnation: string;
  readonly family: string;
  readonly indexedThrough: number;
  readonly named: readonly string[];
  readonly obsolete: readonly string[];
  readonly revokedJobs: readonly string[];
  /** What an ancestor left unindexed, until it is indexed here. */
  readonly inherited: Needs | undefined;
}

/** Reads facts of immutable objects, each once; remembers a bounded number of them. */
export interface FactReader {
  /** Undefined: there is no such key. Throws `corrupt`, also for what a newer version wrote. */
  entry(key: string, signal?: AbortSignal): Promise<EntryFacts | undefined>;
  manifest(reference: ObjectReference, signal?: AbortSignal): Promise<ManifestFacts>;
}

const entryCountMax = 200_000;
const manifestCountMax = 2_000;
/** A header with its schema and its idempotency records is hardly ever longer. */
const headerBytesMax = 16 << 10;
const fetchCountMax = 3;

export function createFactReader(store: ObjectStore): FactReader {
  const entries = createRecent<EntryFacts>(entryCountMax);
  const manifests = createRecent<ManifestFacts>(manifestCountMax);
  const source = { store, manifestParts: createPartCache() };
  return {
    entry: async (key, signal) => {
      const present = entries.get(key);
      if (present !== undefined) return present;
      const header = await untilIntact(() => readHeader(store, key, signal));
      if (header === undefined) return undefined;
      const facts = entryFacts(key, header);
      entries.set(key, facts);
      return facts;
    },
    manifest: async (reference, signal) => {
      const present = manifests.get(reference.key);
      if (present !== undefined) return present;
      const facts = await untilIntact(() => readManifestFacts(source, reference, signal));
      manifests.set(reference.key, facts);
      return facts;
    },
  };
}

/** Some damage happens on the way: `corrupt` is believed at the third time. */
async function untilIntact<R>(read: () => Promise<R>): Promise<R> {
  for (let fetchCount = 1; ; fetchCount++) {
    try {
      return await read();
    } catch (error) {
      if (fetchCount >= fetchCountMax || !isLagoonError(error, 'corrupt')) throw error;
    }
  }
}

async function readHeader(store: ObjectStore, key: string, signal?: AbortSignal): Promise<Entry | undefined> {
  const start = await store.get(key, { range: { start: 0, end: headerBytesMax } }, signal);
  if (start === undefined) return undefined;
  const header = decodeEntryHeader(key, start.bytes, start.objectSize);
  if (header !== undefined) return header;
  const whole = await store.get(key, undefined, signal);
  return whole === undefined ? undefined : decodeEntry(key, whole.bytes).header;
}

function entryFacts(key: string, header: Entry): EntryFacts {
  requireKnown(key, header);
  const { kind } = header;
  if (kind.case === undefined) throw corrupt('unknown kind of entry', { key });
  const batch = batchOf(header);
  const body = batch?.body;
  const isManifest = kind.case === 'manifest' && !isForeignManifest(header, kind.value);
  return {
    kind: kind.case,
    incarnation: header.incarnation,
    family: kind.case === 'birth' ? kind.value.family : header.family,
    isTail: batch !== undefined || (kind.case === 'birth' && (kind.value.origin?.tail.length ?? 0) > 0),
    bodyKey: body === undefined ? undefined : referenceFromStored(key, body).key,
    manifestBody: isManifest ? referenceFromStored(key, kind.value.body) : undefined,
    origin: kind.case === 'birth' && kind.value.origin !== undefined ? needsOf(key, kind.value.origin) : undefined,
    revokedJobs: kind.case === 'aborted' ? kind.value.revokedJobs : [],
  };
}

/** `within` is the key of what names the instant, for errors. */
export function needsOf(within: string, instant: Instant): Needs {
  return {
    manifestBody: instant.manifestBody === undefined ? undefined : referenceFromStored(within, instant.manifestBody),
    spans: instant.tail.map((range) => {
      const first = toSafeNumber(range.generationFirst, { key: within });
      const last = toSafeNumber(range.generationLast, { key: within });
      if (range.namespace === '' || first < 1) throw corrupt('a range of log entries is not whole', { key: within });
      return { name: range.namespace, first, last };
    }),
  };
}

/** What a newer version wrote may name objects in a way that this one does not see: then nothing must be deleted. */
export function requireKnown(key: string, message: Message): void {
  if (message.$unknown === undefined || message.$unknown.length === 0) return;
  throw corrupt('written by a newer version: upgrade this process before it collects garbage', { key });
}

async function readManifestFacts(
  source: ManifestSource,
  reference: ObjectReference,
  signal?: AbortSignal,
): Promise<ManifestFacts> {
  const { key } = reference;
  const object = await source.store.get(key, undefined, signal);
  if (object === undefined) throw corrupt('a manifest that is needed is missing', { key });
  if (!equalBytes(sha256(object.bytes), reference.sha256)) throw corrupt('body does not match its hash', { key });
  const stored = decodeStoredManifest(key, object.bytes);
  const inspect = (partKey: string, part: ManifestPart) => {
    for (const message of [part, ...part.segments]) requireKnown(partKey, message);
  };
  const parts = await readParts(source, parseKeyAs(key, 'body').name, key, stored, inspect, signal);
  const manifest = manifestOf(key, stored, 0, parts);
  for (const message of [stored, ...stored.segments, ...stored.obsolete, ...stored.parts]) requireKnown(key, message);
  const isConsumed = manifest.indexedThrough >= manifest.birthGeneration;
  return {
    incarnation: manifest.incarnation,
    family: manifest.family,
    indexedThrough: manifest.indexedThrough,
    named: namedKeys(manifest),
    obsolete: manifest.obsolete.map((object) => object.key),
    revokedJobs: manifest.revocations.map(({ job }) => job),
    inherited: stored.origin === undefined || isConsumed ? undefined : needsOf(key, stored.origin),
  };
}
