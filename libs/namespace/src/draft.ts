import { create, fromBinary } from '@bufbuild/protobuf';
import { assert, createRandomId, emptyBytes, LagoonError, sha256 } from '@lagoon/base';
import {
  AbortedEntrySchema,
  type BatchEntry,
  BatchEntrySchema,
  type BirthEntry,
  BirthEntrySchema,
  type Entry,
  EntrySchema,
  IdempotencyRecordSchema,
  ManifestEntrySchema,
  TruncateEntrySchema,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import type { LogContext } from './context.ts';
import { decodeEntry, encodeEntry, layoutParts } from './entry.v1.ts';
import type { ReadEntry } from './entry-reader.ts';
import { fold } from './fold.ts';
import { instantToStored } from './instant-codec.ts';
import { bodyKey, logKey, parseKeyAs } from './keys.ts';
import { readManifest } from './manifest-reader.ts';
import { isRevoked } from './manifest-retention.ts';
import type { BatchDraft, EntryDraft } from './namespace-log.ts';
import { referenceFromStored, referenceToStored } from './object-reference.ts';
import { elapsedMs } from './proof.ts';
import { schemaToStored } from './schema-codec.ts';
import { settingsToStored } from './settings.ts';
import type { Instant, NamespaceView, ObjectReference, Proof } from './view.ts';

/** A body that is older is written again: the day after which it may be revoked as garbage is far away. */
const bodyAgeMsMax = 3_600_000;

/**
 * A birth from another's instant. Its own writer does not read what it inherits: that would cost what the instant holds. So only `bear`
 * makes one, and gives no view of it away.
 */
export interface HeirDraft {
  readonly kind: 'heir';
  readonly incarnation: string;
  readonly origin: Instant;
  readonly idempotency: BatchDraft['idempotency'];
}

/** An entry ready to be created: its object, and itself as a reader would read it. */
export interface SealedEntry {
  readonly key: string;
  readonly commitId: string;
  readonly object: Uint8Array;
  readonly entry: ReadEntry;
  /** The view with the entry folded in: what breaks a rule fails before anything is written. */
  readonly folded: NamespaceView;
  readonly body: WrittenBody | undefined;
}

/** Parts written to an object of their own; serves again when the entry has to take another number. */
export interface WrittenBody {
  readonly parts: readonly Uint8Array[];
  readonly incarnation: string;
  readonly reference: ObjectReference;
  readonly writtenAt: Proof;
}

export function isBodyTooOld(context: LogContext, body: WrittenBody | undefined): boolean {
  return body !== undefined && elapsedMs(body.writtenAt, context.time.now()) > bodyAgeMsMax;
}

/**
 * Makes the entry that follows the view: chain, ids, framing; writes the body of a large batch first.
 * `commitId` is kept where the entry is made again for the same number.
 */
export async function sealEntry(
  context: LogContext,
  view: NamespaceView,
  draft: EntryDraft | HeirDraft,
  earlier: WrittenBody | undefined,
  commitId?: string,
  signal?: AbortSignal,
): Promise<SealedEntry> {
  const generation = view.generation + 1;
  const key = logKey(view.name, generation);
  const incarnation = incarnationOf(view, draft);
  const batch = draft.kind === 'birth' ? draft.batch : draft.kind === 'batch' ? draft : undefined;
  const reusable = mayBeRevoked(view, draft, earlier) ? undefined : earlier;
  const body =
    batch === undefined ? undefined : await writeBody(context, view.name, incarnation, batch, reusable, signal);
  const id = draft.kind === 'manifest' ? draft.commitId : (commitId ?? createRandomId(context.random));
  const header = create(EntrySchema, {
    commitId: id,
    writerId: context.writerId,
    incarnation,
    previousHash: view.tip?.hash ?? emptyBytes,
    previousCommitId: view.tip?.commitId ?? '',
    newestManifestGeneration: BigInt(view.newestManifestGeneration),
    writtenAtMs: BigInt(Math.max(0, Math.round(context.clock.wallMs()))),
    ...identityOf(view, draft, generation),
    kind: kindOf(draft, batch, body),
  });
  const object = encodeEntry(header, body === undefined ? (batch?.parts ?? []) : []);
  const { hash } = decodeEntry(key, object); // what cannot be read back must not be written
  const entry: ReadEntry = {
    generation,
    header,
    hash,
    sizeBytes: object.byteLength + (body?.reference.size ?? 0),
    parts: batch?.parts ?? [],
    ...(draft.kind === 'manifest' ? { manifest: await manifestOf(context, view, draft, signal) } : {}),
  };
  const folded = draft.kind === 'heir' ? unreadBirth(view, entry) : fold(view, entry).view;
  return { key, commitId: id, object, entry, folded, body };
}

/** What a view of an heir is without what it inherits: fit to say where it was born, and for nothing else. */
function unreadBirth(view: NamespaceView, entry: ReadEntry): NamespaceView {
  const tip = { hash: entry.hash, commitId: entry.header.commitId };
  return { ...view, generation: entry.generation, tip, live: undefined, proof: undefined };
}

/** Birth, family and lineage of the incarnation, for whoever has only this entry. */
function identityOf(view: NamespaceView, draft: EntryDraft | HeirDraft, generation: number) {
  if (draft.kind === 'birth') return { birthGeneration: BigInt(generation), family: draft.family };
  if (draft.kind === 'heir') {
    return { birthGeneration: BigInt(generation), family: draft.origin.family, inherits: true };
  }
  if (view.live === undefined) return {};
  const { birthGeneration, family, manifest } = view.live;
  return { birthGeneration: BigInt(birthGeneration), family, inherits: manifest.origin !== undefined };
}

/**
 * A body is a job of its own, and may have been revoked by whoever won the number that was tried before. Where nothing lives, a view
 * does not know revocations, so a birth writes its body again.
 */
function mayBeRevoked(view: NamespaceView, draft: EntryDraft | HeirDraft, body: WrittenBody | undefined): boolean {
  if (body === undefined || draft.kind === 'birth' || view.live === undefined) return true;
  const { job } = parseKeyAs(body.reference.key, 'body');
  return view.live.revokedJobs.includes(job) || isRevoked(view.live.manifest, job);
}

function incarnationOf(view: NamespaceView, draft: EntryDraft | HeirDraft): string {
  if (draft.kind === 'heir') {
    assert(view.live === undefined, 'a birth where nothing lives');
    return draft.incarnation;
  }
  if (draft.kind === 'birth') {
    assert(view.live === undefined, 'a birth where nothing lives');
    assert(draft.batch.schema !== undefined, 'a birth carries the schema');
    return draft.incarnation;
  }
  if (draft.kind === 'aborted') return view.live?.incarnation ?? '';
  assert(view.live !== undefined, 'a change of a namespace that lives');
  return view.live.incarnation;
}

function kindOf(
  draft: EntryDraft | HeirDraft,
  batch: BatchDraft | undefined,
  body: WrittenBody | undefined,
): Entry['kind'] {
  switch (draft.kind) {
    case 'heir':
      return { case: 'birth', value: heirMessage(draft) };
    case 'birth':
      return {
        case: 'birth',
        value: create(BirthEntrySchema, { family: draft.family, batch: batchMessage(draft.batch, body) }),
      };
    case 'batch':
      return { case: 'batch', value: batchMessage(batch ?? draft, body) };
    case 'manifest':
      return { case: 'manifest', value: decodeManifestEntry(draft.message) };
    case 'truncate':
      return { case: 'truncate', value: create(TruncateEntrySchema, {}) };
    case 'aborted':
      return { case: 'aborted', value: create(AbortedEntrySchema, { revokedJobs: [...draft.revokedJobs] }) };
  }
}

function heirMessage(draft: HeirDraft): BirthEntry {
  const { idempotency } = draft;
  const batch: BatchDraft = { parts: [], upsertedRowCount: 0, deletedRowCount: 0, idempotency };
  return create(BirthEntrySchema, {
    family: draft.origin.family,
    origin: instantToStored(draft.origin),
    ...(idempotency.length === 0 ? {} : { batch: batchMessage(batch, undefined) }),
  });
}

function decodeManifestEntry(message: Uint8Array) {
  try {
    return fromBinary(ManifestEntrySchema, message);
  } catch (cause) {
    throw new LagoonError('invalid_argument', 'manifest entry does not decode', { cause });
  }
}

function batchMessage(batch: BatchDraft, body: WrittenBody | undefined): BatchEntry {
  return create(BatchEntrySchema, {
    partSizes: batch.parts.map((part) => BigInt(part.byteLength)),
    ...(body === undefined ? {} : { body: referenceToStored(body.reference) }),
    ...(batch.schema === undefined ? {} : { schema: schemaToStored(batch.schema) }),
    ...(batch.settings === undefined ? {} : { settings: settingsToStored(batch.settings) }),
    idempotency: batch.idempotency.map((record) =>
      create(IdempotencyRecordSchema, {
        key: record.key,
        bodyHash: record.bodyHash,
        rowsUpserted: BigInt(record.rowsUpserted),
        rowsDeleted: BigInt(record.rowsDeleted),
        rowsPatched: BigInt(record.rowsPatched),
        rowsRemaining: record.rowsRemaining,
        logicalBytesWritten: BigInt(record.logicalBytesWritten),
        writtenAtMs: BigInt(Math.max(0, Math.round(record.writtenAtMs))),
      }),
    ),
    upsertedRowCount: BigInt(batch.upsertedRowCount),
    deletedRowCount: BigInt(batch.deletedRowCount),
  });
}

/** Undefined for a batch that fits into its entry. */
async function writeBody(
  context: LogContext,
  name: string,
  incarnation: string,
  batch: BatchDraft,
  earlier: WrittenBody | undefined,
  signal?: AbortSignal,
): Promise<WrittenBody | undefined> {
  const { parts } = batch;
  const { starts, end } = layoutParts(
    0,
    parts.map((part) => part.byteLength),
  );
  if (end <= context.inlinePartsBytesMax) return undefined;
  if (earlier !== undefined && serves(context, earlier, incarnation, parts)) return earlier;
  const bytes = new Uint8Array(end);
  parts.forEach((part, index) => {
    bytes.set(part, starts[index]);
  });
  const key = bodyKey(name, incarnation, createRandomId(context.random), 0);
  const writtenAt = context.time.now();
  context.time.answered(await context.store.put(key, bytes, signal));
  return { parts, incarnation, reference: { key, size: end, sha256: sha256(bytes) }, writtenAt };
}

function serves(context: LogContext, body: WrittenBody, incarnation: string, parts: readonly Uint8Array[]): boolean {
  if (isBodyTooOld(context, body) || body.incarnation !== incarnation) return false;
  return body.parts.length === parts.length && body.parts.every((part, index) => part === parts[index]);
}

/** The appender folds the manifest too, so it reads the body unless it is the one that made it. */
async function manifestOf(
  context: LogContext,
  view: NamespaceView,
  draft: Extract<EntryDraft, { kind: 'manifest' }>,
  signal?: AbortSignal,
) {
  const generation = view.generation + 1;
  if (draft.manifest !== undefined) return { ...draft.manifest, generation };
  const reference = referenceFromStored('manifest entry', decodeManifestEntry(draft.message).body);
  return readManifest(context, view.name, reference, generation, signal);
}
