import { corrupt, isLagoonError } from '@lagoon/base';
import { type Bitmap, createBitmap, getBit, setBit } from '@lagoon/format';
import type { ObjectStore } from '@lagoon/object-store';
import { checkDeadRows, decodeDeleteVector } from './delete-vector.v1.ts';
import { openSegment, type SegmentReader } from './open-segment.ts';
import { type ObjectReference, readObject } from './read-object.ts';
import type { ReadRange } from './read-range.ts';
import type { SegmentSection } from './segment-footer.v1.ts';
import { flatMagic, segmentHeaderSize, segmentMagic, segmentVersion, trailerSize } from './segment-layout.v1.ts';

/** Where a segment's dead rows are: beside it in the manifest, or in an object of their own. */
export type DeleteVectorReference =
  | { readonly kind: 'inline'; readonly bitmap: Uint8Array }
  | { readonly kind: 'object'; readonly object: ObjectReference };

/** Delete vectors up to this size go into the manifest. */
export const deleteVectorInlineBytesMax = 4 << 10;

/** The rows of a segment in the order of their ids. */
export interface SegmentRows {
  /** A columnar block. */
  readonly bytes: Uint8Array;
  /** Where the row of each id lies in the segment; undefined: in the same order. Delete vectors go by it. */
  readonly rows: Uint32Array | undefined;
}

/**
 * The rows of a segment of any version as a columnar block; the object is verified against the manifest's hash. Errors as
 * `readObject`.
 */
export async function readSegmentRows(
  store: ObjectStore,
  reference: ObjectReference,
  signal?: AbortSignal,
): Promise<SegmentRows> {
  const bytes = await readObject(store, reference, signal);
  if (isFlatSegment(bytes)) return { bytes, rows: undefined };
  const reader = await openSegmentBytes(reference.key, bytes, signal);
  const { rows } = await reader.readIdRows(signal);
  return { bytes: (await reader.readBlock(signal)).bytes, rows };
}

/** A bitmap of rows as one of ids in their order; `rows` as in `SegmentRows`. */
export function inIdOrder(bitmap: Bitmap, rows: Uint32Array | undefined): Bitmap {
  if (rows === undefined) return bitmap;
  const ordered = createBitmap(rows.length);
  for (let rank = 0; rank < rows.length; rank++) if (getBit(bitmap, rows[rank] as number)) setBit(ordered, rank);
  return ordered;
}

/** A segment v1 that is in memory as a whole, with its header and the zeros between its sections verified too. */
export async function openSegmentBytes(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<SegmentReader> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < segmentHeaderSize + trailerSize || view.getUint32(0, true) !== segmentMagic) {
    throw corrupt('object is not a segment', { key, bytes: bytes.length });
  }
  if (view.getUint32(4, true) !== segmentVersion || view.getBigUint64(8, true) !== 0n) {
    throw corrupt('unknown version of a segment', { key, version: view.getUint32(4, true) });
  }
  const size = view.getUint32(bytes.length - trailerSize, true) + trailerSize;
  if (size > bytes.length - segmentHeaderSize) throw corrupt('segment footer is larger than its object', { key, size });
  const read: ReadRange = async (start, end) => bytes.subarray(start, end);
  const reader = await openSegment(read, { key, footer: { offset: bytes.length - size, size } }, signal);
  checkGaps(key, bytes, reader.footer.sections, bytes.length - size);
  return reader;
}

/** What was written before segments had sections: one columnar block. */
export function isFlatSegment(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) === flatMagic;
}

function checkGaps(key: string, bytes: Uint8Array, sections: readonly SegmentSection[], footerOffset: number): void {
  for (const [index, { offset, length }] of sections.entries()) {
    const next = sections[index + 1]?.offset ?? footerOffset;
    for (let at = offset + length; at < next; at++) {
      if (bytes[at] !== 0) throw corrupt('segment has bytes between its sections', { key, offset: at });
    }
  }
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
