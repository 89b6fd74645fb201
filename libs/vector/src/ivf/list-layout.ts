import type { DistanceMetric } from '../metric.ts';
import type { ListCodec } from './contract.ts';

/**
 * Sizes of lists; docs/formats/segment-lists.v1.md has the byte tables.
 *
 * A list is its codes, then under euclidean_squared one f32 per row (its term, see `encode-lists.ts`).
 */

/** Rows of a block of pq4 codes. */
export const pq4BlockRows = 32;
/** Values of a pq4 code. */
export const pq4CodeCount = 16;
/** Dimensions of a pq4 sub-quantizer; the last of an odd count has one, and a zero. */
export const pq4SubDims = 2;

/** Bytes of one row of int8 codes: padded with zeros. */
export function int8Stride(dims: number): number {
  return (dims + 15) & ~15;
}

export function pq4SubCount(dims: number): number {
  return (dims + 1) >> 1;
}

/** Bytes of the codes alone: where the terms begin. */
export function codeBytes(codec: ListCodec, dims: number, rowCount: number): number {
  if (codec === 'flat') return 0;
  if (codec === 'int8') return rowCount * int8Stride(dims);
  return Math.ceil(rowCount / pq4BlockRows) * pq4SubCount(dims) * 16;
}

export function hasTerms(codec: ListCodec, metric: DistanceMetric): boolean {
  return codec !== 'flat' && metric === 'euclidean_squared';
}

/** Bytes of a list; 0 for flat, whose lists are the rows themselves. */
export function listBytes(codec: ListCodec, metric: DistanceMetric, dims: number, rowCount: number): number {
  return codeBytes(codec, dims, rowCount) + (hasTerms(codec, metric) ? rowCount * 4 : 0);
}
