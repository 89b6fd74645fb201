import { compareBytes } from '@lagoon/base';
import type { AttributeType } from './schema.ts';

/**
 * Between which values those of an attribute lie in the rows of a segment, of an array those of all elements: keys as attribute
 * indexes have them (docs/formats/segment.v1.md), cut short, so that a value may lie inside without being there, never outside.
 */
export interface AttributeRange {
  readonly name: string;
  /** By which the keys are to be understood. */
  readonly type: AttributeType;
  /** At or below every value; undefined with `max`: there is no value. */
  readonly min: Uint8Array | undefined;
  /** At or above every value. */
  readonly max: Uint8Array | undefined;
  /** Rows without a value. */
  readonly nullCount: number;
}

/** Attributes of a segment with a range at most: manifests hold them for all their segments. */
export const attributeRangeCountMax = 64;

/** Whether the range can be one of so many rows. */
export function isRangeOf({ min, max, nullCount }: AttributeRange, rowCount: number): boolean {
  const isOrdered = min === undefined || max === undefined ? min === max : compareBytes(min, max) <= 0;
  return isOrdered && nullCount <= rowCount;
}
