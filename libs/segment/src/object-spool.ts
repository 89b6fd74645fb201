import { alignUp, crc32, createSha256 } from '@lagoon/base';
import { type FooterPlace, leadOf } from './footer-place.ts';
import type { Granules } from './granules.ts';
import type { Scratch, ScratchFile } from './scratch.ts';
import type { SegmentSection } from './segment-footer.v1.ts';
import {
  type SectionKind,
  sectionAlignment,
  sectionKind,
  segmentHeaderSize,
  segmentMagic,
  segmentVersion,
} from './segment-layout.v1.ts';

/** A segment's object, written section after section into a scratch file. */
export interface ObjectSpool {
  /** A section that is in memory. */
  add(kind: SectionKind, column: number | undefined, granules: Granules, root?: Uint8Array): void;
  /** A section that comes in pieces, in granules of one size or of those of a list. */
  stream(
    kind: SectionKind,
    column: number | undefined,
    granules: number | readonly number[],
    produce: (write: (bytes: Uint8Array) => void) => void,
  ): void;
  finish(footerOf: (sections: readonly SegmentSection[]) => Uint8Array): SpooledObject;
}

export interface SpooledObject {
  readonly file: ScratchFile;
  readonly sha256: Uint8Array;
  readonly footer: FooterPlace;
}

export function createObjectSpool(scratch: Scratch): ObjectSpool {
  const file = scratch.create();
  const hash = createSha256();
  const sections: SegmentSection[] = [];
  const put = (bytes: Uint8Array): void => {
    file.append(bytes);
    hash.update(bytes);
  };
  const pad = (): void => put(new Uint8Array(alignUp(file.size, sectionAlignment) - file.size));
  const header = new Uint8Array(segmentHeaderSize);
  new DataView(header.buffer).setUint32(0, segmentMagic, true);
  new DataView(header.buffer).setUint32(4, segmentVersion, true);
  put(header);

  const stream: ObjectSpool['stream'] = (kind, column, granules, produce) => {
    pad();
    const offset = file.size;
    const sums = createGranuleSums(granules);
    produce((bytes) => {
      put(bytes);
      sums.update(bytes);
    });
    const length = file.size - offset;
    const isEven = typeof granules === 'number';
    sections.push({
      kind: sectionKind[kind],
      column,
      offset,
      length,
      granuleSize: isEven ? granules : 0,
      granuleLengths: isEven ? [] : granules,
      checksums: sums.finish(),
      root: new Uint8Array(0),
    });
  };

  return {
    add: (kind, column, granules, root = new Uint8Array(0)) => {
      pad();
      const { bytes, ...cut } = granules;
      sections.push({ kind: sectionKind[kind], column, offset: file.size, length: bytes.length, ...cut, root });
      put(bytes);
    },
    stream,
    finish: (footerOf) => {
      pad();
      const offset = file.size;
      const footer = footerOf(sections);
      put(footer);
      return { file, sha256: hash.digest(), footer: { offset, size: footer.length, ...leadOf(sections, offset) } };
    },
  };
}

/** Checksums of granules of bytes that come in pieces of any size. */
function createGranuleSums(granules: number | readonly number[]) {
  const sums: number[] = [];
  const sizeOf = (index: number): number =>
    typeof granules === 'number' ? granules : (granules[index] ?? Number.POSITIVE_INFINITY);
  let sum = 0;
  let filled = 0;
  return {
    update: (bytes: Uint8Array): void => {
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + sizeOf(sums.length) - filled);
        sum = crc32(part, sum);
        filled += part.length;
        at += part.length;
        if (filled === sizeOf(sums.length)) {
          sums.push(sum);
          sum = 0;
          filled = 0;
        }
      }
    },
    finish: (): Uint8Array => {
      if (filled > 0) sums.push(sum);
      const view = new DataView(new ArrayBuffer(4 * sums.length));
      for (const [index, one] of sums.entries()) view.setUint32(4 * index, one, true);
      return new Uint8Array(view.buffer);
    },
  };
}
