import { corrupt, crc32 } from '@lagoon/base';

/**
 * Records that are single messages (pins, family members, operations) end in a checksum: field 15, fixed32, the CRC-32 of all bytes before it. It is an
 * ordinary field, so readers from before there was one pass over it, and a record of theirs, which has none, still reads.
 */
const tag = (15 << 3) | 5;
const sealBytes = 5;

export function seal(message: Uint8Array): Uint8Array {
  const sealed = new Uint8Array(message.byteLength + sealBytes);
  sealed.set(message);
  sealed[message.byteLength] = tag;
  new DataView(sealed.buffer).setUint32(message.byteLength + 1, crc32(message), true);
  return sealed;
}

/** Throws `corrupt` where a checksum is there and does not match; `checksum` is what decoding the record gave, 0 for none. */
export function checkSeal(key: string, record: Uint8Array, checksum: number): void {
  if (checksum === 0) return;
  const end = record.byteLength - sealBytes;
  const isIntact = end >= 0 && record[end] === tag && crc32(record.subarray(0, end)) === checksum;
  if (!isIntact) throw corrupt('record does not match its checksum', { key });
}
