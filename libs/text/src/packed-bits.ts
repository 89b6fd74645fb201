/** Numbers of `width` bits each (0-32), least significant bit first, one behind the other: ⌈count · width / 8⌉ bytes. */
export function packedSize(count: number, width: number): number {
  return Math.ceil((count * width) / 8);
}

/** Bits that the largest of the numbers needs. */
export function bitWidth(values: ArrayLike<number>, from: number, to: number): number {
  let union = 0;
  for (let i = from; i < to; i++) union |= values[i] as number;
  return 32 - Math.clz32(union);
}

/** Packs values[from, to) into `out`, which holds zeros there, at a byte offset. */
export function packBits(
  values: ArrayLike<number>,
  from: number,
  to: number,
  width: number,
  out: Uint8Array,
  offset: number,
): void {
  let bit = 0;
  for (let i = from; i < to; i++) {
    let value = values[i] as number;
    for (let left = width; left > 0; ) {
      const shift = bit & 7;
      const taken = Math.min(8 - shift, left);
      (out[offset + (bit >>> 3)] as number) |= (value & ((1 << taken) - 1)) << shift;
      value >>>= taken;
      bit += taken;
      left -= taken;
    }
  }
}

/** Unpacks `count` values from a byte offset into out[at, at + count). The caller has checked that the bytes are there. */
export function unpackBits(
  bytes: Uint8Array,
  offset: number,
  count: number,
  width: number,
  out: Uint32Array,
  at: number,
): void {
  if (width <= 24) {
    unpackNarrow(bytes, offset, count, width, out, at);
    return;
  }
  let bit = 0;
  for (let i = 0; i < count; i++) {
    let value = 0;
    for (let got = 0; got < width; ) {
      const shift = bit & 7;
      const taken = Math.min(8 - shift, width - got);
      value |= (((bytes[offset + (bit >>> 3)] as number) >>> shift) & ((1 << taken) - 1)) << got;
      got += taken;
      bit += taken;
    }
    out[at + i] = value >>> 0;
  }
}

/** As long as a number and the bits before it fit 32 bits. */
function unpackNarrow(
  bytes: Uint8Array,
  offset: number,
  count: number,
  width: number,
  out: Uint32Array,
  at: number,
): void {
  const mask = (1 << width) - 1;
  let next = offset;
  let bits = 0;
  let held = 0;
  for (let i = 0; i < count; i++) {
    for (; held < width; held += 8) bits |= (bytes[next++] as number) << held;
    out[at + i] = bits & mask;
    bits >>>= width;
    held -= width;
  }
}
