/**
 * IEEE 754 binary16 in a u16. Rounds to nearest, ties to even; what is too large becomes the largest finite value, as
 * stored centroids must stay finite.
 */
export function toHalf(value: number): number {
  floats[0] = value;
  const bits = words[0] as number;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x477ff000) return sign | 0x7bff; // 65,520 and above
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 leaves the rounded multiple of 2^-24 in the low bits.
    floats[0] = Math.abs(value) + 0.5;
    return sign | ((words[0] as number) - 0x3f000000);
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

/** Exact; of finite values. */
export function fromHalf(half: number): number {
  words[0] = ((half & 0x8000) << 16) | ((half & 0x7fff) << 13);
  return (floats[0] as number) * 2 ** 112;
}

export function toHalves(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, toHalf);
}

export function fromHalves(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, fromHalf);
}

const floats = new Float32Array(1);
const words = new Uint32Array(floats.buffer);
