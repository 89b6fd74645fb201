import { corrupt } from './errors.ts';

/** Reads [from, to) of untrusted bytes from left to right; `corrupt` at the end. */
export interface ByteReader {
  readonly offset: number;
  varint(): number;
  u8(): number;
  u32(): number;
  bytes(size: number): Uint8Array;
}

export function createByteReader(source: Uint8Array, from: number, to: number): ByteReader {
  const end = Math.min(to, source.length);
  let offset = from;
  const u8 = (): number => {
    if (offset >= end) throw corrupt('bytes end early', { offset });
    return source[offset++] as number;
  };
  return {
    get offset() {
      return offset;
    },
    u8,
    varint: () => {
      let value = 0;
      for (let scale = 1; scale < 2 ** 53; scale *= 128) {
        const byte = u8();
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
      throw corrupt('number in bytes is too long', { offset });
    },
    u32: () => (u8() | (u8() << 8) | (u8() << 16) | (u8() << 24)) >>> 0,
    bytes: (size) => {
      if (size > end - offset) throw corrupt('bytes end early', { offset, size });
      offset += size;
      return source.subarray(offset - size, offset);
    },
  };
}
