import { corrupt, isLagoonError } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import { checkDeadRows, decodeDeleteVector } from './delete-vector.v1.ts';
import { type ObjectReference, readObject } from './read-object.ts';

/** Where a segment's dead rows are: beside it in the manifest, or in an object of their own. */
export type DeleteVectorReference =
  | { readonly kind: 'inline'; readonly bitmap: Uint8Array }
  | { readonly kind: 'object'; readonly object: ObjectReference };

/** Delete vectors up to this size go into the manifest. */
export const deleteVectorInlineBytesMax = 4 << 10;

/** The columnar block that a flat segment is, verified against the manifest's hash; errors as `readObject`. */
export function readSegmentBlock(
  store: ObjectStore,
  reference: ObjectReference,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  return readObject(store, reference, signal);
}

/** The bitmap of a segment's dead rows, 1 = dead; undefined where none is. Errors as `readObject`. */
export async function readDeleteVector(
  store: ObjectStore,
  reference: DeleteVectorReference | undefined,
  rowCount: number,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (reference === undefined) return undefined;
  if (reference.kind === 'inline') {
    checkDeadRows(reference.bitmap, rowCount);
    return reference.bitmap;
  }
  const bytes = await readObject(store, reference.object, signal);
  try {
    return decodeDeleteVector(bytes, rowCount);
  } catch (error) {
    if (!isLagoonError(error, 'corrupt')) throw error;
    throw corrupt('delete vector cannot be read', { key: reference.object.key, cause: error.message });
  }
}
