import { assert, corrupt, mapBounded } from '@lagoon/base';
import { coalesce, type Range } from './coalesce.ts';
import { type GranulePlaces, granulePlaces, granuleStart, lastAtMost, verifyGranules } from './granules.ts';
import type { ReadRange } from './read-range.ts';
import type { SegmentSection } from './segment-footer.v1.ts';

/** Reads sections of one segment; no byte comes back that was not verified with its granule. */
export interface GranuleReader {
  /** The granules [from, to) of a section, one request. */
  readGranules(section: SegmentSection, from: number, to: number, signal?: AbortSignal): Promise<Uint8Array>;
  /**
   * Ranges of a section's bytes, in the order in which they are given, which may be any. All requests go out at once and are at
   * most `requestCountMax`; what they read besides is as little as that allows. Views: ranges may share a buffer.
   */
  readRanges(
    section: SegmentSection,
    ranges: readonly Range[],
    requestCountMax: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array[]>;
}

export function createGranuleReader(read: ReadRange, key: string): GranuleReader {
  const readGranules: GranuleReader['readGranules'] = async (section, from, to, signal) => {
    if (from === to) return new Uint8Array(0);
    const start = section.offset + granuleStart(section, from);
    const bytes = await read(start, section.offset + granuleStart(section, to), signal);
    verifyGranules(key, section, from, to, bytes);
    return bytes;
  };
  const known = new Map<SegmentSection, GranulePlaces>();
  const placesOf = (section: SegmentSection): GranulePlaces => {
    const places = known.get(section) ?? granulePlaces(section);
    known.set(section, places);
    return places;
  };
  return {
    readGranules,
    readRanges: async (section, ranges, requestCountMax, signal) => {
      assert(requestCountMax >= 1, 'ranges are read by one request at least');
      const places = placesOf(section);
      const wanted = ranges.map((range) => wholeGranules(key, section, places, range));
      const spans = coalesce(wanted, requestCountMax);
      const parts = await mapBounded(
        spans,
        requestCountMax,
        ({ start, end }, _index, inner) => readGranules(section, places.at(start), places.at(end - 1) + 1, inner),
        signal,
      );
      const offsets = spans.map(({ start }) => start);
      return ranges.map(({ start, end }) => {
        if (start === end) return new Uint8Array(0);
        const at = lastAtMost(offsets, start);
        const offset = offsets[at] as number;
        return (parts[at] as Uint8Array).subarray(start - offset, end - offset);
      });
    },
  };
}

/** The bytes of the granules that hold a range. */
function wholeGranules(key: string, section: SegmentSection, places: GranulePlaces, { start, end }: Range): Range {
  if (!(start >= 0 && start <= end && end <= section.length)) {
    throw corrupt('range is not in its section', { key, section: section.kind, start, end, bytes: section.length });
  }
  if (start === end) return { start, end };
  return { start: places.startOf(places.at(start)), end: places.startOf(places.at(end - 1) + 1) };
}
