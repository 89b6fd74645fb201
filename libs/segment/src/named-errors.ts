import { corrupt, isLagoonError } from '@lagoon/base';
import type { SegmentSection } from './segment-footer.v1.ts';

/** Says whose bytes a decoder could not take. */
export function naming<R>(key: string, part: string, granule: number | undefined, decode: () => R): R {
  try {
    return decode();
  } catch (error) {
    if (!isLagoonError(error, 'corrupt')) throw error;
    throw corrupt('segment cannot be read', { key, part, granule, cause: error.message });
  }
}

export function required(key: string, section: SegmentSection | undefined): SegmentSection {
  if (section === undefined) throw corrupt('segment lacks a section', { key });
  return section;
}
