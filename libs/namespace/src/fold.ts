import { create } from '@bufbuild/protobuf';
import { corrupt, equalBytes } from '@lagoon/base';
import {
  type BatchEntry,
  BatchEntrySchema,
  type BirthEntry,
  type Entry,
  type ManifestEntry,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import type { InheritedTail } from './inheritance.ts';
import { emptyManifest } from './manifest.ts';
import { isRevoked } from './manifest-retention.ts';
import { toSafeNumber } from './proto-number.ts';
import { schemaFromStored } from './schema-codec.ts';
import { settingsFromStored } from './settings.ts';
import type { LiveNamespace, Manifest, NamespaceView, TailBatch } from './view.ts';

/** What folding needs of an entry; its rows are not among it. */
export interface FoldEntry {
  readonly generation: number;
  readonly header: Entry;
  /** SHA-256 of the entry's object. */
  readonly hash: Uint8Array;
  /** Bytes of the entry and of its body. */
  readonly sizeBytes: number;
  /** The body of a manifest entry, read and verified; of a birth with an origin, the manifest that it begins with. */
  readonly manifest?: Manifest;
  /** Of a birth with an origin. */
  readonly inheritedTail?: InheritedTail;
}

export interface Folded {
  readonly view: NamespaceView;
  /** A manifest that belongs to another incarnation: reported, and no reader sees it. */
  readonly ignored: boolean;
}

/**
 * The view with one more entry; pure. Carries the proof on as it is. Throws `corrupt` where the entry does not chain to the
 * view or breaks the rules of incarnations. A view without a tip (the start of a walk) takes any predecessor.
 */
export function fold(view: NamespaceView, entry: FoldEntry): Folded {
  checkChain(view, entry);
  const next = {
    ...view,
    generation: entry.generation,
    tip: { hash: entry.hash, commitId: entry.header.commitId },
    newestManifestGeneration: Math.max(view.newestManifestGeneration, declaredManifest(entry)),
  };
  const { kind } = entry.header;
  switch (kind.case) {
    case 'birth':
      return { view: { ...next, live: born(view, entry, kind.value) }, ignored: false };
    case 'batch':
      return { view: { ...next, live: withBatch(sameLife(view, entry), entry, kind.value) }, ignored: false };
    case 'manifest':
      return foldManifest(view, next, entry, kind.value);
    case 'truncate':
      if (view.tip !== undefined) sameLife(view, entry);
      return { view: { ...next, live: undefined }, ignored: false };
    case 'aborted':
      return { view: { ...next, live: withRevoked(view.live, kind.value.revokedJobs) }, ignored: false };
    default:
      throw broken(view, entry, 'unknown kind');
  }
}

/** Whether a manifest entry counts: it belongs to the life that its appender saw. */
export function isForeignManifest(header: Entry, message: ManifestEntry): boolean {
  return message.incarnation !== header.incarnation;
}

function checkChain(view: NamespaceView, entry: FoldEntry): void {
  if (entry.generation !== view.generation + 1) throw broken(view, entry, 'not the next generation');
  const { previousHash, previousCommitId } = entry.header;
  if (view.generation === 0) {
    if (previousHash.byteLength !== 0 || previousCommitId !== '')
      throw broken(view, entry, 'a first entry that has a past');
    return;
  }
  if (view.tip === undefined) return;
  const fits = equalBytes(previousHash, view.tip.hash) && previousCommitId === view.tip.commitId;
  if (!fits) throw broken(view, entry, 'does not chain to the entry before');
}

/** The generation of the newest manifest before the entry, for a walk that starts behind it. */
function declaredManifest(entry: FoldEntry): number {
  return toSafeNumber(entry.header.newestManifestGeneration, { generation: entry.generation });
}

function born(view: NamespaceView, entry: FoldEntry, birth: BirthEntry): LiveNamespace {
  const { incarnation, writtenAtMs } = entry.header;
  if (view.live !== undefined) {
    // The walk from a manifest that has indexed nothing passes the birth of what it already describes.
    const isOwn = view.live.incarnation === incarnation && view.live.birthGeneration === entry.generation;
    if (!isOwn) throw broken(view, entry, 'a birth while the namespace lives');
    return withFirstBatch(view.live, entry, birth);
  }
  const createdAtMs = toSafeNumber(writtenAtMs);
  const manifest = birth.origin === undefined ? founderManifest(view, entry, birth) : entry.manifest;
  const isOwn = manifest?.incarnation === incarnation && manifest.birthGeneration === entry.generation;
  if (!isOwn) throw broken(view, entry, 'a birth without what it inherits');
  const { family, birthGeneration, schema, settings } = manifest;
  const identity = { incarnation, family, birthGeneration, schema, settings, createdAtMs, lastWriteAtMs: createdAtMs };
  return withFirstBatch({ ...identity, manifest, tail: [], revokedJobs: [] }, entry, birth);
}

function founderManifest(view: NamespaceView, entry: FoldEntry, birth: BirthEntry): Manifest {
  if (birth.batch?.schema === undefined) throw broken(view, entry, 'a birth without a schema');
  return emptyManifest({
    incarnation: entry.header.incarnation,
    family: birth.family,
    birthGeneration: entry.generation,
    schema: schemaFromStored(birth.batch.schema),
    createdAtMs: toSafeNumber(entry.header.writtenAtMs),
  });
}

/** What was inherited and not indexed is the beginning of the first batch, so that whoever consumes that has consumed it all. */
function withFirstBatch(live: LiveNamespace, entry: FoldEntry, birth: BirthEntry): LiveNamespace {
  const { inheritedTail: tail } = entry;
  if (birth.origin === undefined || tail === undefined) {
    return birth.batch === undefined ? live : withBatch(live, entry, birth.batch);
  }
  const heir = { ...live, schema: tail.schema ?? live.schema, settings: tail.settings ?? live.settings };
  if (birth.batch === undefined && tail.parts.length === 0) return heir;
  const own = birth.batch ?? create(BatchEntrySchema);
  const first = create(BatchEntrySchema, {
    ...own,
    upsertedRowCount: own.upsertedRowCount + BigInt(tail.upsertedRowCount),
    deletedRowCount: own.deletedRowCount + BigInt(tail.deletedRowCount),
  });
  return withBatch(heir, entry, first);
}

function sameLife(view: NamespaceView, entry: FoldEntry): LiveNamespace {
  if (view.live === undefined) throw broken(view, entry, 'nothing lives that it could change');
  if (view.live.incarnation !== entry.header.incarnation) throw broken(view, entry, 'another incarnation');
  return view.live;
}

function withBatch(live: LiveNamespace, entry: FoldEntry, batch: BatchEntry): LiveNamespace {
  const writtenAtMs = toSafeNumber(entry.header.writtenAtMs);
  const tailBatch: TailBatch = {
    generation: entry.generation,
    sizeBytes: entry.sizeBytes,
    upsertedRowCount: toSafeNumber(batch.upsertedRowCount),
    deletedRowCount: toSafeNumber(batch.deletedRowCount),
    writtenAtMs,
    idempotency: batch.idempotency.map((record) => ({
      key: record.key,
      bodyHash: record.bodyHash,
      generation: entry.generation,
      rowsUpserted: toSafeNumber(record.rowsUpserted),
      rowsDeleted: toSafeNumber(record.rowsDeleted),
      rowsPatched: toSafeNumber(record.rowsPatched),
      rowsRemaining: record.rowsRemaining,
      logicalBytesWritten: toSafeNumber(record.logicalBytesWritten),
      writtenAtMs: toSafeNumber(record.writtenAtMs),
    })),
  };
  return {
    ...live,
    schema: batch.schema === undefined ? live.schema : schemaFromStored(batch.schema),
    settings: batch.settings === undefined ? live.settings : settingsFromStored(batch.settings),
    lastWriteAtMs: Math.max(live.lastWriteAtMs, writtenAtMs),
    tail: [...live.tail, tailBatch],
  };
}

function withRevoked(live: LiveNamespace | undefined, jobs: readonly string[]): LiveNamespace | undefined {
  if (live === undefined || jobs.length === 0) return live;
  return { ...live, revokedJobs: [...new Set([...live.revokedJobs, ...jobs])] };
}

function foldManifest(view: NamespaceView, next: NamespaceView, entry: FoldEntry, message: ManifestEntry): Folded {
  const live = view.live;
  if (isForeignManifest(entry.header, message) || live?.incarnation !== message.incarnation) {
    return { view: next, ignored: true };
  }
  // The walk from a manifest passes the ones before it, and itself.
  if (entry.generation <= live.manifest.generation) return { view: next, ignored: false };
  const { manifest } = entry;
  if (manifest === undefined) throw broken(view, entry, 'a manifest without its body');
  if (toSafeNumber(message.editsManifestGeneration) !== live.manifest.generation) {
    throw broken(view, entry, 'a manifest that does not edit the newest');
  }
  const goesOn =
    manifest.incarnation === live.incarnation &&
    manifest.birthGeneration === live.birthGeneration &&
    manifest.indexedThrough >= live.manifest.indexedThrough &&
    manifest.indexedThrough < entry.generation;
  if (!goesOn) throw broken(view, entry, 'a manifest that does not go on from the newest');
  const tail = live.tail.filter((batch) => batch.generation > manifest.indexedThrough);
  const revokedJobs = live.revokedJobs.filter((job) => !isRevoked(manifest, job));
  const alive = { ...live, manifest, tail, revokedJobs };
  const folded = { ...next, newestManifestGeneration: entry.generation, live: alive };
  return { view: folded, ignored: false };
}

function broken(view: NamespaceView, entry: FoldEntry, problem: string): Error {
  return corrupt(`log: ${problem}`, { namespace: view.name, generation: entry.generation, after: view.generation });
}
