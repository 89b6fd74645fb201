import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { corrupt, LagoonError } from '@lagoon/base';
import { Pin_Kind, PinSchema, type Pin as StoredPin } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { instantFromStored, instantToStored } from './instant-codec.ts';
import { toSafeNumber } from './proto-number.ts';
import { checkSeal, seal } from './record-seal.ts';
import type { Instant } from './view.ts';

/** Holds one instant of a namespace: a snapshot until it is deleted, a lease of a long read for a day. */
export interface Pin {
  readonly kind: 'snapshot' | 'lease';
  readonly name: string;
  readonly instant: Instant;
  /** The writer's wall clock, for people. */
  readonly createdAtMs: number;
}

export function encodePin(pin: Pin): Uint8Array {
  const message = create(PinSchema, {
    kind: pin.kind === 'snapshot' ? Pin_Kind.SNAPSHOT : Pin_Kind.LEASE,
    name: pin.name,
    instant: instantToStored(pin.instant),
    createdAtMs: BigInt(Math.max(0, Math.round(pin.createdAtMs))),
  });
  return seal(toBinary(PinSchema, message));
}

/** Throws `corrupt`. */
export function decodePin(key: string, bytes: Uint8Array): Pin {
  let stored: StoredPin;
  try {
    stored = fromBinary(PinSchema, bytes);
  } catch (cause) {
    throw new LagoonError('corrupt', 'pin does not decode', { context: { key }, cause });
  }
  checkSeal(key, bytes, stored.checksum);
  if (stored.instant === undefined || stored.kind === Pin_Kind.UNSPECIFIED) throw corrupt('pin lacks a field', { key });
  return {
    kind: stored.kind === Pin_Kind.SNAPSHOT ? 'snapshot' : 'lease',
    name: stored.name,
    instant: instantFromStored(key, stored.instant),
    createdAtMs: toSafeNumber(stored.createdAtMs, { key }),
  };
}
