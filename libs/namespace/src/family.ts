import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { LagoonError } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import { FamilyMemberSchema, type FamilyMember as StoredMember } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { instantFromStored, instantToStored } from './instant-codec.ts';
import { familyKey } from './keys.ts';
import { toSafeNumber } from './proto-number.ts';
import { checkSeal, seal } from './record-seal.ts';
import type { Instant, LiveNamespace } from './view.ts';

/** A member of a lineage: one incarnation of one namespace. */
export interface FamilyMember {
  readonly namespace: string;
  readonly incarnation: string;
  /** The generation that its birth entry has, or is to have. */
  readonly birthGeneration: number;
  /** What it begins as; undefined for a family's founder. */
  readonly origin: Instant | undefined;
}

/**
 * Records the incarnation as a member of its family; needed before its first segment, so that garbage collection knows whose
 * manifests may name it. The same bytes every time: writing it twice is harmless. One that was born from another's instant has its
 * record since before its birth.
 */
export async function writeFamilyRecord(
  store: ObjectStore,
  name: string,
  live: Pick<LiveNamespace, 'family' | 'incarnation' | 'birthGeneration'> & {
    readonly manifest: Pick<LiveNamespace['manifest'], 'origin'>;
  },
  signal?: AbortSignal,
): Promise<void> {
  if (live.manifest.origin !== undefined) return;
  const { incarnation, birthGeneration } = live;
  await writeMember(store, live.family, { namespace: name, incarnation, birthGeneration, origin: undefined }, signal);
}

export async function writeMember(
  store: ObjectStore,
  family: string,
  member: FamilyMember,
  signal?: AbortSignal,
): Promise<void> {
  const record = create(FamilyMemberSchema, {
    namespace: member.namespace,
    incarnation: member.incarnation,
    birthGeneration: BigInt(member.birthGeneration),
    ...(member.origin === undefined ? {} : { origin: instantToStored(member.origin) }),
  });
  await store.put(familyKey(family, member.incarnation), seal(toBinary(FamilyMemberSchema, record)), signal);
}

/** Throws `corrupt`. */
export function decodeFamilyMember(key: string, bytes: Uint8Array): FamilyMember {
  let stored: StoredMember;
  try {
    stored = fromBinary(FamilyMemberSchema, bytes);
  } catch (cause) {
    throw new LagoonError('corrupt', 'family record does not decode', { context: { key }, cause });
  }
  checkSeal(key, bytes, stored.checksum);
  return {
    namespace: stored.namespace,
    incarnation: stored.incarnation,
    birthGeneration: toSafeNumber(stored.birthGeneration, { key }),
    origin: stored.origin === undefined ? undefined : instantFromStored(key, stored.origin),
  };
}
