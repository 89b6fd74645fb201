import { create } from '@bufbuild/protobuf';
import { corrupt } from '@lagoon/base';
import { type BodyReference, BodyReferenceSchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { toSafeNumber } from './proto-number.ts';
import type { ObjectReference } from './view.ts';

export function referenceToStored(reference: ObjectReference): BodyReference {
  return create(BodyReferenceSchema, {
    key: reference.key,
    size: BigInt(reference.size),
    sha256: reference.sha256,
  });
}

/** `within` is the key of what names the reference, for the error. */
export function referenceFromStored(within: string, stored: BodyReference | undefined): ObjectReference {
  if (stored === undefined || stored.key === '' || stored.sha256.byteLength !== 32) {
    throw corrupt('object reference is not whole', { key: within });
  }
  return { key: stored.key, size: toSafeNumber(stored.size, { key: within }), sha256: stored.sha256 };
}
