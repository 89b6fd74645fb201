import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { assert, corrupt, LagoonError } from '@lagoon/base';
import { type AttributeRange, formatAttributeType, parseAttributeType } from '@lagoon/format';
import {
  AttributeRangeSchema,
  DeleteVectorReferenceSchema,
  IdempotencyPartReferenceSchema,
  ManifestPartReferenceSchema,
  ManifestPartSchema,
  ManifestSchema,
  ObsoleteObjectSchema,
  RowAccountingSchema,
  SegmentReferenceSchema,
  type DeleteVectorReference as StoredDeleteVector,
  type Manifest as StoredManifest,
  type ManifestPart as StoredPart,
  type AttributeRange as StoredRange,
  type SegmentReference as StoredSegment,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { instantFromStored, instantToStored } from './instant-codec.ts';
import { referenceFromStored, referenceToStored } from './object-reference.ts';
import { toSafeNumber } from './proto-number.ts';
import { schemaFromStored, schemaToStored } from './schema-codec.ts';
import { defaultSettings, isDefaultSettings, settingsFromStored, settingsToStored } from './settings.ts';
import type {
  DeleteVectorReference,
  Manifest,
  ManifestPart,
  ObjectReference,
  Revocation,
  RowAccounting,
  SegmentReference,
} from './view.ts';

/** A manifest's body, or its root where it has parts. Its generation is not in it: the entry that names the body gives it. */
export function encodeManifest(manifest: Manifest): Uint8Array {
  const parts = manifest.parts ?? [];
  const countInParts = parts.reduce((sum, part) => sum + part.segments.length, 0);
  assert(countInParts <= manifest.segments.length, 'parts hold the first segments');
  const message = create(ManifestSchema, {
    incarnation: manifest.incarnation,
    family: manifest.family,
    birthGeneration: BigInt(manifest.birthGeneration),
    schema: schemaToStored(manifest.schema),
    indexedThrough: BigInt(manifest.indexedThrough),
    segments: manifest.segments.slice(countInParts).map(segmentToStored),
    parts: parts.map(({ object, segments }) =>
      create(ManifestPartReferenceSchema, { object: referenceToStored(object), segmentCount: segments.length }),
    ),
    rows: create(RowAccountingSchema, {
      added: BigInt(manifest.rows.added),
      superseded: BigInt(manifest.rows.superseded),
      deleted: BigInt(manifest.rows.deleted),
      live: BigInt(manifest.rows.live),
    }),
    recentCommitIds: [...manifest.recentCommitIds],
    idempotencyParts: manifest.idempotencyParts.map((part) =>
      create(IdempotencyPartReferenceSchema, {
        object: referenceToStored(part.object),
        writtenAtMsMax: BigInt(part.writtenAtMsMax),
      }),
    ),
    obsolete: manifest.obsolete.map((object) =>
      create(ObsoleteObjectSchema, {
        key: object.key,
        obsoleteSinceGeneration: BigInt(object.obsoleteSinceGeneration),
        obsoleteAtMs: BigInt(object.obsoleteAtMs ?? 0),
      }),
    ),
    revokedJobs: manifest.revocations.map(({ job }) => job),
    revokedAtMs: manifest.revocations.map(({ atMs }) => BigInt(atMs)),
    createdAtMs: BigInt(manifest.createdAtMs),
    lastWriteAtMs: BigInt(manifest.lastWriteAtMs),
    ...(isDefaultSettings(manifest.settings) ? {} : { settings: settingsToStored(manifest.settings) }),
    ...(manifest.origin === undefined ? {} : { origin: instantToStored(manifest.origin) }),
  });
  return toBinary(ManifestSchema, message);
}

/** A part's object. */
export function encodePart(segments: readonly SegmentReference[]): Uint8Array {
  return toBinary(ManifestPartSchema, create(ManifestPartSchema, { segments: segments.map(segmentToStored) }));
}

/** Throws `corrupt`; the caller has verified the bytes against their hash. */
export function decodeStoredManifest(key: string, bytes: Uint8Array): StoredManifest {
  try {
    return fromBinary(ManifestSchema, bytes);
  } catch (cause) {
    throw new LagoonError('corrupt', 'manifest does not decode', { context: { key }, cause });
  }
}

/** As `decodeStoredManifest`. */
export function decodeStoredPart(key: string, bytes: Uint8Array): StoredPart {
  try {
    return fromBinary(ManifestPartSchema, bytes);
  } catch (cause) {
    throw new LagoonError('corrupt', 'part of a manifest does not decode', { context: { key }, cause });
  }
}

export function partFromStored(object: ObjectReference, stored: StoredPart): ManifestPart {
  return { object, segments: stored.segments.map((segment) => segmentFromStored(object.key, segment)) };
}

/** As `manifestFromStored`, of a manifest without parts. */
export function decodeManifest(key: string, bytes: Uint8Array, generation: number): Manifest {
  return manifestFromStored(key, decodeStoredManifest(key, bytes), generation, []);
}

/** Throws `corrupt`; the caller has read the parts that it names, and checks the invariants behind. */
export function manifestFromStored(
  key: string,
  stored: StoredManifest,
  generation: number,
  parts: readonly ManifestPart[],
): Manifest {
  if (stored.parts.length !== parts.length) throw corrupt('manifest without its parts', { key });
  for (const [index, part] of parts.entries()) {
    if (part.segments.length === stored.parts[index]?.segmentCount) continue;
    throw corrupt('a part of another count', { key, part: part.object.key });
  }
  if (stored.schema === undefined || stored.rows === undefined) throw corrupt('manifest lacks a field', { key });
  return {
    generation,
    incarnation: stored.incarnation,
    family: stored.family,
    birthGeneration: toSafeNumber(stored.birthGeneration, { key }),
    schema: schemaFromStored(stored.schema),
    settings: stored.settings === undefined ? defaultSettings : settingsFromStored(stored.settings),
    indexedThrough: toSafeNumber(stored.indexedThrough, { key }),
    segments: [
      ...parts.flatMap((part) => part.segments),
      ...stored.segments.map((segment) => segmentFromStored(key, segment)),
    ],
    rows: rowsFromStored(key, stored.rows),
    recentCommitIds: stored.recentCommitIds,
    idempotencyParts: stored.idempotencyParts.map((part) => ({
      object: referenceFromStored(key, part.object),
      writtenAtMsMax: toSafeNumber(part.writtenAtMsMax, { key }),
    })),
    obsolete: stored.obsolete.map((object) => ({
      key: object.key,
      obsoleteSinceGeneration: toSafeNumber(object.obsoleteSinceGeneration, { key }),
      ...(object.obsoleteAtMs === 0n ? {} : { obsoleteAtMs: toSafeNumber(object.obsoleteAtMs, { key }) }),
    })),
    revocations: revocationsFromStored(key, stored),
    createdAtMs: toSafeNumber(stored.createdAtMs, { key }),
    lastWriteAtMs: toSafeNumber(stored.lastWriteAtMs, { key }),
    ...(stored.origin === undefined ? {} : { origin: instantFromStored(key, stored.origin) }),
    ...(parts.length === 0 ? {} : { parts }),
  };
}

/** Manifests from before there were times have none. */
function revocationsFromStored(key: string, { revokedJobs, revokedAtMs }: StoredManifest): Revocation[] {
  if (revokedAtMs.length > 0 && revokedAtMs.length !== revokedJobs.length) {
    throw corrupt('times of other revocations', { key });
  }
  return revokedJobs.map((job, index) => ({ job, atMs: toSafeNumber(revokedAtMs[index] ?? 0n, { key }) }));
}

function segmentToStored(segment: SegmentReference): StoredSegment {
  const deleteVector = segment.deleteVector === undefined ? {} : { deleteVector: vectorToStored(segment.deleteVector) };
  return create(SegmentReferenceSchema, {
    object: referenceToStored(segment.object),
    rowCount: BigInt(segment.rowCount),
    liveRowCount: BigInt(segment.liveRowCount),
    logicalBytes: BigInt(segment.logicalBytes),
    generationFirst: BigInt(segment.generationFirst),
    generationLast: BigInt(segment.generationLast),
    footerOffset: BigInt(segment.footer?.offset ?? 0),
    footerSize: BigInt(segment.footer?.size ?? 0),
    footerLead: BigInt(segment.footer?.lead ?? 0),
    ...deleteVector,
    attributeRanges: (segment.attributeRanges ?? []).map(rangeToStored),
  });
}

function segmentFromStored(key: string, stored: StoredSegment): SegmentReference {
  const offset = toSafeNumber(stored.footerOffset, { key });
  const size = toSafeNumber(stored.footerSize, { key });
  const lead = toSafeNumber(stored.footerLead, { key });
  const ranges = stored.attributeRanges.map((range) => rangeFromStored(key, range));
  return {
    ...(size === 0 ? {} : { footer: { offset, size, ...(lead === 0 ? {} : { lead }) } }),
    object: referenceFromStored(key, stored.object),
    rowCount: toSafeNumber(stored.rowCount, { key }),
    liveRowCount: toSafeNumber(stored.liveRowCount, { key }),
    logicalBytes: toSafeNumber(stored.logicalBytes, { key }),
    deleteVector: stored.deleteVector === undefined ? undefined : vectorFromStored(key, stored.deleteVector),
    generationFirst: toSafeNumber(stored.generationFirst, { key }),
    generationLast: toSafeNumber(stored.generationLast, { key }),
    ...(ranges.length === 0 ? {} : { attributeRanges: ranges }),
  };
}

function rangeToStored({ name, type, min, max, nullCount }: AttributeRange): StoredRange {
  return create(AttributeRangeSchema, {
    name,
    type: formatAttributeType(type),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    nullCount: BigInt(nullCount),
  });
}

function rangeFromStored(key: string, { name, type, min, max, nullCount }: StoredRange): AttributeRange {
  try {
    return { name, type: parseAttributeType(type), min, max, nullCount: toSafeNumber(nullCount, { key }) };
  } catch (cause) {
    throw new LagoonError('corrupt', 'range of an attribute has a wrong type', { context: { key, type }, cause });
  }
}

function vectorToStored(vector: DeleteVectorReference): StoredDeleteVector {
  return create(DeleteVectorReferenceSchema, {
    place:
      vector.kind === 'inline'
        ? { case: 'inline', value: vector.bitmap }
        : { case: 'object', value: referenceToStored(vector.object) },
  });
}

function vectorFromStored(key: string, stored: StoredDeleteVector): DeleteVectorReference {
  if (stored.place.case === 'inline') return { kind: 'inline', bitmap: stored.place.value };
  if (stored.place.case === 'object') return { kind: 'object', object: referenceFromStored(key, stored.place.value) };
  throw corrupt('delete vector without a place', { key });
}

function rowsFromStored(
  key: string,
  rows: { added: bigint; superseded: bigint; deleted: bigint; live: bigint },
): RowAccounting {
  return {
    added: toSafeNumber(rows.added, { key }),
    superseded: toSafeNumber(rows.superseded, { key }),
    deleted: toSafeNumber(rows.deleted, { key }),
    live: toSafeNumber(rows.live, { key }),
  };
}
