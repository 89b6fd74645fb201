import { corrupt, crc32 } from '@lagoon/base';
import { granuleCountOf, type SegmentSection } from './segment-footer.v1.ts';

/** Bytes of a section that were cut into granules, each with its checksum. */
export interface Granules {
  readonly bytes: Uint8Array;
  readonly granuleSize: number;
  readonly granuleLengths: readonly number[];
  readonly checksums: Uint8Array;
}

/** Granules of one size; the last may be shorter. */
export function cutEvenly(bytes: Uint8Array, granuleSize: number): Granules {
  const count = Math.ceil(bytes.length / granuleSize);
  const checksums = new DataView(new ArrayBuffer(4 * count));
  for (let index = 0; index < count; index++) {
    checksums.setUint32(4 * index, crc32(bytes.subarray(index * granuleSize, (index + 1) * granuleSize)), true);
  }
  return { bytes, granuleSize, granuleLengths: [], checksums: new Uint8Array(checksums.buffer) };
}

/** One granule per part. */
export function cutByParts(parts: readonly Uint8Array[]): Granules {
  const checksums = new DataView(new ArrayBuffer(4 * parts.length));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const [index, part] of parts.entries()) {
    bytes.set(part, offset);
    offset += part.length;
    checksums.setUint32(4 * index, crc32(part), true);
  }
  const granuleLengths = parts.map((part) => part.length);
  return { bytes, granuleSize: 0, granuleLengths, checksums: new Uint8Array(checksums.buffer) };
}

/** Where granule `index` begins in its section; for the count of granules: where the section ends. */
export function granuleStart(section: SegmentSection, index: number): number {
  if (section.granuleSize > 0) return Math.min(index * section.granuleSize, section.length);
  let start = 0;
  for (let i = 0; i < index; i++) start += section.granuleLengths[i] as number;
  return start;
}

/** Where the granules of one section lie. */
export interface GranulePlaces {
  /** Where granule `index` begins; for the count of granules: where the section ends. */
  startOf(index: number): number;
  /** The granule that holds a byte. */
  at(offset: number): number;
}

export function granulePlaces(section: SegmentSection): GranulePlaces {
  const { granuleSize, granuleLengths } = section;
  if (granuleSize > 0) {
    return {
      startOf: (index) => granuleStart(section, index),
      at: (offset) => Math.floor(offset / granuleSize),
    };
  }
  const starts = new Float64Array(granuleLengths.length + 1);
  for (const [index, length] of granuleLengths.entries()) starts[index + 1] = (starts[index] as number) + length;
  return { startOf: (index) => starts[index] as number, at: (offset) => lastAtMost(starts, offset) };
}

/** The last of ascending numbers that is at most `value`; -1: none is. */
export function lastAtMost(ascending: ArrayLike<number>, value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Verifies the granules [from, to) of a section, which `bytes` holds and nothing else; `corrupt` naming key and granule. */
export function verifyGranules(
  key: string,
  section: SegmentSection,
  from: number,
  to: number,
  bytes: Uint8Array,
): void {
  const { checksums } = section;
  const view = new DataView(checksums.buffer, checksums.byteOffset, checksums.length);
  let start = 0;
  for (let index = from; index < to; index++) {
    const length = section.granuleSize > 0 ? section.granuleSize : (section.granuleLengths[index] as number);
    const granule = bytes.subarray(start, start + length);
    start += length;
    if (crc32(granule) === view.getUint32(4 * index, true)) continue;
    throw corrupt('granule of a segment has the wrong checksum', {
      key,
      section: section.kind,
      column: section.column,
      granule: index,
      granuleCount: granuleCountOf(section),
      offset: section.offset + granuleStart(section, index),
    });
  }
}
