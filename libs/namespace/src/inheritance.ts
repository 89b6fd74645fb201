import { corrupt, equalBytes, mapBounded } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import type { ObjectStore } from '@lagoon/object-store';
import type { BirthEntry, Entry } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { batchOf, type DecodedEntry, decodeEntry } from './entry.v1.ts';
import { aligned, readBatchBody, readVerified } from './entry-body.ts';
import { instantFromStored } from './instant-codec.ts';
import { logKey, parseKeyAs } from './keys.ts';
import { emptyManifest } from './manifest.ts';
import { type ManifestSource, readManifest } from './manifest-reader.ts';
import { toSafeNumber } from './proto-number.ts';
import { schemaFromStored } from './schema-codec.ts';
import { inheritedSettings, type NamespaceSettings, settingsFromStored } from './settings.ts';
import type { Instant, LogRange, Manifest } from './view.ts';

/** What an instant's tail says, read by name: the beginning of the first batch of whoever is born from it. */
export interface InheritedTail {
  readonly parts: readonly Uint8Array[];
  /** After the tail, where it says so. */
  readonly schema: Schema | undefined;
  /** What an heir takes of them, where the tail says so. */
  readonly settings: NamespaceSettings | undefined;
  readonly sizeBytes: number;
  readonly upsertedRowCount: number;
  readonly deletedRowCount: number;
}

export interface Inheritance {
  /** The manifest before the child's first own one; undefined where it was not wanted. */
  readonly manifest: Manifest | undefined;
  readonly tail: InheritedTail;
}

/** The birth that inherits. */
export interface Heir {
  readonly name: string;
  readonly generation: number;
  /** Of its entry. */
  readonly key: string;
  /** Where a later manifest is known already, the one that was inherited may be gone. */
  readonly wantsManifest: boolean;
}

const entriesAtOnceMax = 32;

/** Reads what the birth entry says that its incarnation begins as. Throws `corrupt`, also where something of it is missing. */
export async function readInheritance(
  source: ManifestSource,
  heir: Heir,
  header: Entry,
  signal?: AbortSignal,
): Promise<Inheritance> {
  if (header.kind.case !== 'birth' || header.kind.value.origin === undefined) {
    throw corrupt('a birth without an origin', { key: heir.key });
  }
  const birth: BirthEntry = header.kind.value;
  const origin = instantFromStored(heir.key, header.kind.value.origin);
  const tail = await readTail(source.store, origin.tail, signal);
  if (!heir.wantsManifest) return { manifest: undefined, tail };
  const identity = {
    incarnation: header.incarnation,
    family: birth.family,
    birthGeneration: heir.generation,
    createdAtMs: toSafeNumber(header.writtenAtMs),
  };
  return { manifest: await readInheritedManifest(source, origin, tail, identity, signal), tail };
}

/** The instant's manifest as the child's own before its first: with its ids, and nothing that belongs to one incarnation only. */
async function readInheritedManifest(
  source: ManifestSource,
  origin: Instant,
  tail: InheritedTail,
  identity: Pick<Manifest, 'incarnation' | 'family' | 'birthGeneration' | 'createdAtMs'>,
  signal?: AbortSignal,
): Promise<Manifest> {
  const inherited = await readInstantManifest(source, origin, signal);
  const schema = inherited?.schema ?? tail.schema;
  if (schema === undefined) throw corrupt('an origin without a schema', { namespace: origin.namespace });
  const empty = emptyManifest({ ...identity, schema });
  if (inherited === undefined) return { ...empty, origin };
  const before = identity.birthGeneration - 1;
  return {
    ...empty,
    settings: inheritedSettings(inherited.settings),
    segments: inherited.segments.map((segment) => ({ ...segment, generationFirst: before, generationLast: before })),
    rows: inherited.rows,
    origin,
  };
}

/** As the source's own; undefined where nothing was indexed. Its generation is not known and not needed. */
export async function readInstantManifest(
  source: ManifestSource,
  instant: Instant,
  signal?: AbortSignal,
): Promise<Manifest | undefined> {
  const reference = instant.manifestBody;
  if (reference === undefined) return undefined;
  const owner = parseKeyAs(reference.key, 'body').name;
  return readManifest(source, owner, reference, 0, signal);
}

/** Batches of the ranges, in order. */
export async function readTail(
  store: ObjectStore,
  ranges: readonly LogRange[],
  signal?: AbortSignal,
): Promise<InheritedTail> {
  const parts: Uint8Array[] = [];
  let schema: Schema | undefined;
  let settings: NamespaceSettings | undefined;
  let sizeBytes = 0;
  let upsertedRowCount = 0;
  let deletedRowCount = 0;
  for (const range of ranges) {
    for (const entry of await readRange(store, range, signal)) {
      const batch = batchOf(entry.header);
      if (batch === undefined) continue;
      parts.push(...entry.parts);
      sizeBytes += entry.sizeBytes;
      if (batch.schema !== undefined) schema = schemaFromStored(batch.schema);
      if (batch.settings !== undefined) settings = inheritedSettings(settingsFromStored(batch.settings));
      upsertedRowCount += toSafeNumber(batch.upsertedRowCount);
      deletedRowCount += toSafeNumber(batch.deletedRowCount);
    }
  }
  return { parts, schema, settings, sizeBytes, upsertedRowCount, deletedRowCount };
}

type RangeEntry = Pick<DecodedEntry, 'header' | 'parts' | 'sizeBytes' | 'hash'>;

async function readRange(store: ObjectStore, range: LogRange, signal?: AbortSignal): Promise<RangeEntry[]> {
  const count = range.generationLast - range.generationFirst + 1;
  const generations = Array.from({ length: count }, (_, index) => range.generationFirst + index);
  const entries = await mapBounded(
    generations,
    entriesAtOnceMax,
    (generation, _, inner) => readRangeEntry(store, range.namespace, generation, inner),
    signal,
  );
  let expected = range.hashLast;
  for (const [index, entry] of [...entries.entries()].reverse()) {
    if (!equalBytes(entry.hash, expected)) {
      throw corrupt('log range: an entry is not the one that was named', {
        key: logKey(range.namespace, range.generationFirst + index),
      });
    }
    expected = entry.header.previousHash;
  }
  return entries;
}

async function readRangeEntry(
  store: ObjectStore,
  name: string,
  generation: number,
  signal?: AbortSignal,
): Promise<RangeEntry> {
  const key = logKey(name, generation);
  const decoded = await readVerified(store, key, {}, signal, (bytes) => decodeEntry(key, aligned(bytes)));
  if (decoded === undefined) throw corrupt('log range: an entry is missing', { key });
  const batch = batchOf(decoded.header);
  if (batch?.body === undefined) return decoded;
  const { parts, sizeBytes } = await readBatchBody(store, name, key, batch, signal);
  return { ...decoded, parts, sizeBytes: decoded.sizeBytes + sizeBytes };
}
