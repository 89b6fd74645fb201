/**
 * Sparse vectors are arrays of entries: a dimension (u32) and its weight (f16) in one u64, dimension · 2^16 + bits of the
 * weight. A row's entries ascend, so each dimension is there once.
 */
export interface SparseEntry {
  readonly dimension: number;
  readonly weight: number;
}

export const sparseDimensionMax = 0xffff_ffff;

const weightBits = 0x1_0000;

/** The weight is rounded to f16; the caller has checked that it is finite then. */
export function packSparseEntry({ dimension, weight }: SparseEntry): bigint {
  const view = new DataView(new ArrayBuffer(2));
  view.setFloat16(0, weight);
  return BigInt(dimension * weightBits + view.getUint16(0));
}

export function unpackSparseEntry(entry: bigint): SparseEntry {
  const number = Number(entry); // 48 bits
  const view = new DataView(new ArrayBuffer(2));
  view.setUint16(0, number % weightBits);
  return { dimension: Math.floor(number / weightBits), weight: view.getFloat16(0) };
}

/** What is wrong with the entries [from, to) of one row; undefined where nothing is. */
export function sparseProblem(entries: BigUint64Array, from: number, to: number): string | undefined {
  let before = -1;
  for (let i = from; i < to; i++) {
    const number = Number(entries[i]);
    if (number >= 2 ** 48) return 'entry of a sparse vector has a dimension that is too large';
    const dimension = Math.floor(number / weightBits);
    if (dimension <= before) return 'dimensions of a sparse vector do not ascend';
    if ((number & 0x7c00) === 0x7c00) return 'weight of a sparse vector is not finite';
    before = dimension;
  }
  return undefined;
}
