import { fromBinary } from '@bufbuild/protobuf';
import { corrupt, equalBytes, LagoonError, mapBounded } from '@lagoon/base';
import type { ListedObject, ObjectStore } from '@lagoon/object-store';
import {
  type FamilyMember,
  FamilyMemberSchema,
  type Pin,
  Pin_Kind,
  PinSchema,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { type Needs, needsOf, requireKnown } from './gc-facts.ts';
import { listEverything } from './gc-survey.ts';
import { familiesPrefix, familyPrefix, parseKey, parseKeyAs, pinsPrefix } from './keys.ts';
import { toSafeNumber } from './proto-number.ts';
import { checkSeal } from './record-seal.ts';

/** A member of a lineage, as its record says. */
export interface MemberRecord extends ListedObject {
  readonly name: string;
  readonly incarnation: string;
  readonly birthGeneration: number;
  /** What it begins as; undefined for the founder of a family. */
  readonly origin: Needs | undefined;
}

/** A pin of one instant: a snapshot, or the lease of a long read. */
export interface PinRecord extends ListedObject {
  readonly name: string;
  readonly isLease: boolean;
  /** Key of the empty object that confirms it; undefined while unconfirmed. */
  readonly confirmation: ListedObject | undefined;
  /** Whose instant it is. */
  readonly incarnation: string;
  readonly needs: Needs;
}

export interface PinListing {
  readonly pins: readonly PinRecord[];
  /** Confirmations of pins that are not there. */
  readonly strays: readonly ListedObject[];
}

const recordsAtOnceMax = 16;
const confirmationSuffix = '.ok';

/** Every pin of a namespace. Throws `corrupt` for one that cannot be read, or that a newer version wrote. */
export async function readPins(store: ObjectStore, name: string, signal?: AbortSignal): Promise<PinListing> {
  const { objects } = await listEverything(store, pinsPrefix(name), signal);
  const confirmations = new Map(
    objects
      .filter(({ key }) => key.endsWith(confirmationSuffix))
      .map((object) => [object.key.slice(0, -confirmationSuffix.length), object]),
  );
  const listed = objects.filter(({ key }) => !key.endsWith(confirmationSuffix));
  const read = await mapBounded(
    listed,
    recordsAtOnceMax,
    (object, _, inner) => readPin(store, name, object, confirmations.get(object.key), inner),
    signal,
  );
  const keys = new Set(listed.map(({ key }) => key));
  return {
    pins: read.filter((pin) => pin !== undefined),
    strays: [...confirmations].filter(([key]) => !keys.has(key)).map(([, object]) => object),
  };
}

async function readPin(
  store: ObjectStore,
  name: string,
  listed: ListedObject,
  confirmation: ListedObject | undefined,
  signal?: AbortSignal,
): Promise<PinRecord | undefined> {
  const bytes = await readAgreed(store, listed.key, signal);
  if (bytes === undefined) return undefined; // deleted meanwhile
  const pin = decode<Pin>(listed.key, () => fromBinary(PinSchema, bytes));
  checkSeal(listed.key, bytes, pin.checksum);
  if (pin.instant === undefined) throw corrupt('a pin without an instant', { key: listed.key });
  requireKnown(listed.key, pin);
  requireKnown(listed.key, pin.instant);
  return {
    ...listed,
    name,
    isLease: pin.kind === Pin_Kind.LEASE,
    confirmation,
    incarnation: pin.instant.incarnation,
    needs: needsOf(listed.key, pin.instant),
  };
}

/** Every member of a family. Throws `corrupt` for one that cannot be read, or that a newer version wrote. */
export async function readMembers(store: ObjectStore, family: string, signal?: AbortSignal): Promise<MemberRecord[]> {
  const { objects } = await listEverything(store, familyPrefix(family), signal);
  const read = await mapBounded(
    objects,
    recordsAtOnceMax,
    (listed, _, inner) => readMember(store, listed, inner),
    signal,
  );
  return read.filter((member) => member !== undefined);
}

async function readMember(
  store: ObjectStore,
  listed: ListedObject,
  signal?: AbortSignal,
): Promise<MemberRecord | undefined> {
  const { key } = listed;
  const { incarnation } = parseKeyAs(key, 'family');
  const bytes = await readAgreed(store, key, signal);
  if (bytes === undefined) return undefined; // removed meanwhile
  const record = decode<FamilyMember>(key, () => fromBinary(FamilyMemberSchema, bytes));
  checkSeal(key, bytes, record.checksum);
  requireKnown(key, record);
  if (record.origin !== undefined) requireKnown(key, record.origin);
  if (record.namespace === '' || record.incarnation !== incarnation)
    throw corrupt('a record of another member', { key });
  return {
    ...listed,
    name: record.namespace,
    incarnation,
    birthGeneration: toSafeNumber(record.birthGeneration, { key }),
    origin: record.origin === undefined ? undefined : needsOf(key, record.origin),
  };
}

const readCountMax = 6;

/**
 * Old records carry no checksum, and a bit that flips on the way could name other objects than those that are needed. So two reads must
 * agree. Undefined: there is no such key.
 */
async function readAgreed(store: ObjectStore, key: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  let before: Uint8Array | undefined;
  for (let readCount = 0; readCount < readCountMax; readCount++) {
    const object = await store.get(key, undefined, signal);
    if (object === undefined) return undefined;
    if (before !== undefined && equalBytes(before, object.bytes)) return before;
    before = object.bytes;
  }
  throw corrupt('a record reads differently every time', { key });
}

function decode<M>(key: string, read: () => M): M {
  try {
    return read();
  } catch (cause) {
    throw new LagoonError('corrupt', 'a record does not decode', { context: { key }, cause });
  }
}

/** The family of every recorded incarnation, by its key alone: no record is read. */
export async function listRecordedFamilies(
  store: ObjectStore,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const { objects } = await listEverything(store, familiesPrefix, signal);
  return new Map(
    objects.flatMap(({ key }): [string, string][] => {
      const parsed = parseKey(key);
      return parsed?.kind === 'family' ? [[parsed.incarnation, parsed.family]] : [];
    }),
  );
}
