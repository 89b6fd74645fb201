import type { Bitmap } from '@lagoon/format';

const onesOf = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});

/** Ones among the bits [from, to). */
export function countBitsBetween(bitmap: Bitmap, from: number, to: number): number {
  if (from >= to) return 0;
  const first = from >>> 3;
  const last = (to - 1) >>> 3;
  const firstMask = (0xff << (from & 7)) & 0xff;
  const lastMask = 0xff >>> (7 - ((to - 1) & 7));
  if (first === last) return onesOf[(bitmap[first] as number) & firstMask & lastMask] as number;
  let count = onesOf[(bitmap[first] as number) & firstMask] as number;
  for (let i = first + 1; i < last; i++) count += onesOf[bitmap[i] as number] as number;
  return count + (onesOf[(bitmap[last] as number) & lastMask] as number);
}
