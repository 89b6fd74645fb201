import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { LagoonError } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import {
  IdempotencyPartSchema,
  IdempotencyRecordSchema,
  type IdempotencyPart as StoredPart,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { type BodyDeps, type BodyPlace, createBody } from './body.ts';
import { readBody } from './entry-body.ts';
import { toSafeNumber } from './proto-number.ts';
import type { IdempotencyPartReference, IdempotencyRecord, LiveNamespace, NamespaceView } from './view.ts';

/**
 * The table of idempotency keys of one incarnation: records of the tail are in the view, older ones in immutable parts that the
 * manifest names. Every record that leaves the tail goes into a part, and serves for at least an hour after it was written.
 *
 * Nobody compares the clocks of two processes to say that the hour is over. A process drops what it has seen itself for the keep
 * time on its monotonic clock; and what is so old by wall clocks that both of them may be off by a day.
 */
export const idempotencyKeepMsMin = 3_600_000;
const wallErrorMsMax = 24 * 3_600_000;

/** Whether so much has passed since `writtenAtMs`, another process's wall clock, however wrong both clocks are. */
export function isOldByAnyClock(writtenAtMs: number, wallMs: number, keepMs: number): boolean {
  return wallMs - writtenAtMs > keepMs + 2 * wallErrorMsMax;
}

export function encodeIdempotencyPart(records: readonly IdempotencyRecord[]): Uint8Array {
  const message = create(IdempotencyPartSchema, {
    records: records.map((record) =>
      create(IdempotencyRecordSchema, {
        key: record.key,
        bodyHash: record.bodyHash,
        generation: BigInt(record.generation),
        rowsUpserted: BigInt(record.rowsUpserted),
        rowsDeleted: BigInt(record.rowsDeleted),
        rowsPatched: BigInt(record.rowsPatched),
        rowsRemaining: record.rowsRemaining,
        logicalBytesWritten: BigInt(record.logicalBytesWritten),
        writtenAtMs: BigInt(record.writtenAtMs),
      }),
    ),
  });
  return toBinary(IdempotencyPartSchema, message);
}

/** Throws `corrupt`. */
export function decodeIdempotencyPart(key: string, bytes: Uint8Array): IdempotencyRecord[] {
  let part: StoredPart;
  try {
    part = fromBinary(IdempotencyPartSchema, bytes);
  } catch (cause) {
    throw new LagoonError('corrupt', 'idempotency part does not decode', { context: { key }, cause });
  }
  return part.records.map((record) => ({
    key: record.key,
    bodyHash: record.bodyHash,
    generation: toSafeNumber(record.generation, { key }),
    rowsUpserted: toSafeNumber(record.rowsUpserted, { key }),
    rowsDeleted: toSafeNumber(record.rowsDeleted, { key }),
    rowsPatched: toSafeNumber(record.rowsPatched, { key }),
    rowsRemaining: record.rowsRemaining,
    logicalBytesWritten: toSafeNumber(record.logicalBytesWritten, { key }),
    writtenAtMs: toSafeNumber(record.writtenAtMs, { key }),
  }));
}

/** What the key did before in this incarnation, if anything. `parts` is from `readIdempotencyParts`. */
export function findIdempotent(
  view: NamespaceView,
  parts: ReadonlyMap<string, IdempotencyRecord>,
  key: string,
): IdempotencyRecord | undefined {
  const tail = view.live?.tail ?? [];
  for (let index = tail.length - 1; index >= 0; index--) {
    const record = tail[index]?.idempotency.find((candidate) => candidate.key === key);
    if (record !== undefined) return record;
  }
  return view.live === undefined ? undefined : parts.get(key);
}

/** Records that leave the tail when everything up to `indexedThrough` is indexed. */
export function recordsLeavingTail(live: LiveNamespace, indexedThrough: number): IdempotencyRecord[] {
  return live.tail.filter((batch) => batch.generation <= indexedThrough).flatMap((batch) => batch.idempotency);
}

/** Writes the part of an index job; undefined where there is nothing to keep. */
export async function writeIdempotencyPart(
  deps: BodyDeps,
  place: BodyPlace,
  records: readonly IdempotencyRecord[],
  signal?: AbortSignal,
): Promise<IdempotencyPartReference | undefined> {
  if (records.length === 0) return undefined;
  const object = await createBody(deps, place, encodeIdempotencyPart(records), signal);
  let writtenAtMsMax = 0;
  for (const record of records) writtenAtMsMax = Math.max(writtenAtMsMax, record.writtenAtMs);
  return { object, writtenAtMsMax };
}

export async function readIdempotencyPart(
  store: ObjectStore,
  name: string,
  reference: IdempotencyPartReference,
  signal?: AbortSignal,
): Promise<IdempotencyRecord[]> {
  return decodeIdempotencyPart(reference.object.key, await readBody(store, name, reference.object, signal));
}
