/**
 * Bitmaps of rows: bit r is bit (r & 7), least significant first, of byte r >> 3; ⌈rows / 8⌉ bytes. Delete vectors, row
 * masks and null bitmaps are all of this form. Bits past the row count are 0: every function here keeps them so, provided
 * that its inputs do.
 */
export type Bitmap = Uint8Array;

export function bitmapBytes(bitCount: number): number {
  return (bitCount + 7) >>> 3;
}

export function createBitmap(bitCount: number): Bitmap {
  return new Uint8Array(bitmapBytes(bitCount));
}

/** All bits of [0, bitCount) set. */
export function createFullBitmap(bitCount: number): Bitmap {
  const bitmap = createBitmap(bitCount).fill(0xff);
  clearTrailingBits(bitmap, bitCount);
  return bitmap;
}

/** False past the end of the bitmap. */
export function getBit(bitmap: Bitmap, bit: number): boolean {
  return (((bitmap[bit >>> 3] as number) >>> (bit & 7)) & 1) === 1;
}

export function setBit(bitmap: Bitmap, bit: number): void {
  (bitmap[bit >>> 3] as number) |= 1 << (bit & 7);
}

export function clearBit(bitmap: Bitmap, bit: number): void {
  (bitmap[bit >>> 3] as number) &= ~(1 << (bit & 7));
}

/** Sets the bits [from, to). */
export function setBitRange(bitmap: Bitmap, from: number, to: number): void {
  let bit = from;
  while (bit < to && (bit & 7) !== 0) setBit(bitmap, bit++);
  const wholeBytesEnd = Math.max(bit, to & ~7);
  bitmap.fill(0xff, bit >>> 3, wholeBytesEnd >>> 3);
  for (bit = wholeBytesEnd; bit < to; bit++) setBit(bitmap, bit);
}

/** target ∧= other. Bytes that `other` does not have count as 0. */
export function andInPlace(target: Bitmap, other: Bitmap): void {
  const shared = Math.min(target.length, other.length);
  const [words, others] = [wordsOf(target, shared), wordsOf(other, shared)];
  const wordCount = Math.min(words.length, others.length);
  for (let i = 0; i < wordCount; i++) (words[i] as number) &= others[i] as number;
  for (let i = 4 * wordCount; i < shared; i++) (target[i] as number) &= other[i] as number;
  target.fill(0, shared);
}

/** target ∨= other, which is not longer. */
export function orInPlace(target: Bitmap, other: Bitmap): void {
  const shared = Math.min(target.length, other.length);
  const [words, others] = [wordsOf(target, shared), wordsOf(other, shared)];
  const wordCount = Math.min(words.length, others.length);
  for (let i = 0; i < wordCount; i++) (words[i] as number) |= others[i] as number;
  for (let i = 4 * wordCount; i < shared; i++) (target[i] as number) |= other[i] as number;
}

/** target ∧= ¬other. Bytes that `other` does not have count as 0. */
export function andNotInPlace(target: Bitmap, other: Bitmap): void {
  const shared = Math.min(target.length, other.length);
  const [words, others] = [wordsOf(target, shared), wordsOf(other, shared)];
  const wordCount = Math.min(words.length, others.length);
  for (let i = 0; i < wordCount; i++) (words[i] as number) &= ~(others[i] as number);
  for (let i = 4 * wordCount; i < shared; i++) (target[i] as number) &= ~(other[i] as number);
}

/** target = ¬target within [0, bitCount). */
export function notInPlace(target: Bitmap, bitCount: number): void {
  for (let i = 0; i < target.length; i++) target[i] = ~(target[i] as number);
  clearTrailingBits(target, bitCount);
}

export function countBits(bitmap: Bitmap): number {
  let count = 0;
  const words = wordsOf(bitmap, bitmap.length);
  for (let i = 0; i < words.length; i++) count += popcount32(words[i] as number);
  for (let i = 4 * words.length; i < bitmap.length; i++) count += popcount32(bitmap[i] as number);
  return count;
}

/** The first set bit at or after `from`, or -1. */
export function nextBit(bitmap: Bitmap, from: number): number {
  let index = from >>> 3;
  if (index >= bitmap.length) return -1;
  let byte = (bitmap[index] as number) & (0xff << (from & 7));
  while (byte === 0) {
    if (++index >= bitmap.length) return -1;
    byte = bitmap[index] as number;
  }
  return index * 8 + (31 - Math.clz32(byte & -byte));
}

/** Calls back with every set bit in ascending order. */
export function forEachBit(bitmap: Bitmap, visit: (bit: number) => void): void {
  for (let i = 0; i < bitmap.length; i++) {
    let byte = bitmap[i] as number;
    while (byte !== 0) {
      const lowest = byte & -byte;
      visit(i * 8 + (31 - Math.clz32(lowest)));
      byte ^= lowest;
    }
  }
}

/** Whether no bit at or past `bitCount` is set and the length fits: what a bitmap from outside must satisfy. */
export function isBitmapOf(bitmap: Bitmap, bitCount: number): boolean {
  if (bitmap.length !== bitmapBytes(bitCount)) return false;
  if ((bitCount & 7) === 0) return true;
  return (bitmap[bitmap.length - 1] as number) >>> (bitCount & 7) === 0;
}

const noWords = new Uint32Array(0);

/** The first bytes four at a time, where they are aligned; in whichever order the machine has them. */
function wordsOf({ buffer, byteOffset }: Bitmap, byteCount: number): Uint32Array {
  return (byteOffset & 3) === 0 ? new Uint32Array(buffer, byteOffset, byteCount >>> 2) : noWords;
}

function clearTrailingBits(bitmap: Bitmap, bitCount: number): void {
  if ((bitCount & 7) !== 0) (bitmap[bitCount >>> 3] as number) &= (1 << (bitCount & 7)) - 1;
}

/** Number of ones in 32 bits by adding neighbours in parallel (Warren, "Hacker's Delight", chapter 5). */
function popcount32(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  v = (v + (v >>> 4)) & 0x0f0f0f0f;
  return Math.imul(v, 0x01010101) >>> 24;
}
