/** Bytes that grow at their end. */
export interface ByteWriter {
  readonly length: number;
  /** Unsigned, below 2^53: seven bits per byte, least significant first, the top bit says that more follow (LEB128). */
  varint(value: number): void;
  u8(value: number): void;
  u32(value: number): void;
  bytes(bytes: Uint8Array): void;
  /** So many zeros, to be written into: valid until the next call. */
  reserve(size: number): Uint8Array;
  /** A view of what was written. */
  result(): Uint8Array;
}

export function createByteWriter(): ByteWriter {
  let buffer = new Uint8Array(1024);
  let length = 0;
  const room = (size: number): void => {
    if (length + size <= buffer.length) return;
    const larger = new Uint8Array(2 * (length + size));
    larger.set(buffer.subarray(0, length));
    buffer = larger;
  };
  const byte = (value: number): void => {
    room(1);
    buffer[length++] = value;
  };
  return {
    get length() {
      return length;
    },
    varint: (value) => {
      let rest = value;
      for (; rest >= 128; rest = Math.floor(rest / 128)) byte((rest % 128) | 128);
      byte(rest);
    },
    u8: byte,
    u32: (value) => {
      for (let shift = 0; shift < 32; shift += 8) byte((value >>> shift) & 255);
    },
    bytes: (bytes) => {
      room(bytes.length);
      buffer.set(bytes, length);
      length += bytes.length;
    },
    reserve: (size) => {
      room(size);
      length += size;
      return buffer.subarray(length - size, length);
    },
    result: () => buffer.subarray(0, length),
  };
}
