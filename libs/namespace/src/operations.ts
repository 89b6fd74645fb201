import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { LagoonError } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import {
  CopyOperationSchema,
  type CopyOperation as StoredOperation,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { operationKey } from './keys.ts';
import { toSafeNumber } from './proto-number.ts';
import { checkSeal, seal } from './record-seal.ts';

/** A copy that was asked for and answered with a token. Garbage collection removes its record a day after it was written last. */
export interface CopyOperation {
  readonly source: string;
  /** Store time. */
  readonly startedAtMs: number;
  /** Undefined: it is running. */
  readonly finished: FinishedCopy | undefined;
}

export type FinishedCopy = { readonly atMs: number } & (
  | { readonly outcome: 'copied'; readonly generation: number; readonly sourceGeneration: number }
  | { readonly outcome: 'failed'; readonly code: string; readonly reason: string; readonly message: string }
);

export async function writeOperation(
  store: ObjectStore,
  namespace: string,
  token: string,
  operation: CopyOperation,
  signal?: AbortSignal,
): Promise<void> {
  await store.put(operationKey(namespace, token), encodeOperation(operation), signal);
}

/** Undefined: there is none, or not any more. Throws `corrupt`. */
export async function readOperation(
  store: ObjectStore,
  namespace: string,
  token: string,
  signal?: AbortSignal,
): Promise<CopyOperation | undefined> {
  const key = operationKey(namespace, token);
  const object = await store.get(key, undefined, signal);
  return object === undefined ? undefined : decodeOperation(key, object.bytes);
}

function encodeOperation({ source, startedAtMs, finished }: CopyOperation): Uint8Array {
  const message = create(CopyOperationSchema, { source, startedAtMs: BigInt(Math.round(startedAtMs)) });
  if (finished !== undefined) message.finishedAtMs = BigInt(Math.round(finished.atMs));
  if (finished?.outcome === 'copied') {
    message.manifestGeneration = BigInt(finished.generation);
    message.sourceGeneration = BigInt(finished.sourceGeneration);
  }
  if (finished?.outcome === 'failed') {
    message.errorCode = finished.code;
    message.errorReason = finished.reason;
    message.errorMessage = finished.message;
  }
  return seal(toBinary(CopyOperationSchema, message));
}

function decodeOperation(key: string, bytes: Uint8Array): CopyOperation {
  let stored: StoredOperation;
  try {
    stored = fromBinary(CopyOperationSchema, bytes);
  } catch (cause) {
    throw new LagoonError('corrupt', 'operation does not decode', { context: { key }, cause });
  }
  checkSeal(key, bytes, stored.checksum);
  const { source, errorCode, errorReason, errorMessage } = stored;
  const atMs = toSafeNumber(stored.finishedAtMs, { key });
  const startedAtMs = toSafeNumber(stored.startedAtMs, { key });
  if (atMs === 0) return { source, startedAtMs, finished: undefined };
  if (errorCode !== '') {
    const failed = { outcome: 'failed', code: errorCode, reason: errorReason, message: errorMessage } as const;
    return { source, startedAtMs, finished: { atMs, ...failed } };
  }
  const generation = toSafeNumber(stored.manifestGeneration, { key });
  const sourceGeneration = toSafeNumber(stored.sourceGeneration, { key });
  return { source, startedAtMs, finished: { atMs, outcome: 'copied', generation, sourceGeneration } };
}
