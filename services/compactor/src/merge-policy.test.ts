import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { chooseMerge, chooseQuietMerge, type MergePolicy, type SegmentWeight } from './merge-policy.ts';

const mebibyte = 2 ** 20;
const policy: MergePolicy = {
  mergeFanIn: 8,
  mergeBytesMax: 512 * mebibyte,
  mergeRowsMax: 1_000_000_000,
  mergeDeadPercent: 33,
  mergeDeadBytesMin: mebibyte,
};

function weight(bytes: number, deadShare = 0): SegmentWeight {
  const rowCount = 10_000;
  return { bytes, rowCount, liveRowCount: Math.round(rowCount * (1 - deadShare)) };
}

/** Segments arrive; merges are done at once. */
function load(sizes: readonly number[], given: MergePolicy) {
  let segments: SegmentWeight[] = [];
  let written = 0;
  let segmentCountMax = 0;
  for (const size of sizes) {
    segments.push(weight(size));
    for (let chosen = chooseMerge(segments, given); chosen.length > 0; chosen = chooseMerge(segments, given)) {
      const merged = chosen.map((index) => segments[index] as SegmentWeight);
      const bytes = merged.reduce((sum, one) => sum + one.bytes, 0);
      expect(bytes).toBeLessThanOrEqual(given.mergeBytesMax);
      expect(merged.every((one) => one.bytes <= given.mergeBytesMax / 2)).toBe(true);
      written += bytes;
      segments = [...segments.filter((_, index) => !chosen.includes(index)), weight(bytes)];
    }
    segmentCountMax = Math.max(segmentCountMax, segments.length);
  }
  return { segments, written, segmentCountMax };
}

describe('merge policy', () => {
  test('a row is rewritten once per tier at most, and a tier holds fewer segments than the fan-in', () => {
    const size = fc.integer({ min: 64 << 10, max: 64 * mebibyte });
    const sizes = fc.tuple(size, size).chain(([a, b]) => {
      const [min, max] = [Math.min(a, b), Math.max(a, b)];
      return fc.array(fc.integer({ min, max }), { minLength: 1, maxLength: 400 });
    });
    fc.assert(
      fc.property(sizes, fc.integer({ min: 2, max: 12 }), (given, mergeFanIn) => {
        const { segments, written, segmentCountMax } = load(given, { ...policy, mergeFanIn });
        const data = given.reduce((sum, one) => sum + one, 0);
        const tiers = Math.ceil(Math.log(policy.mergeBytesMax / (64 << 10)) / Math.log(mergeFanIn)) + 1;
        expect(written).toBeLessThanOrEqual(tiers * data);
        const top = segments.filter((one) => one.bytes > policy.mergeBytesMax / 2).length;
        expect(segmentCountMax).toBeLessThanOrEqual((mergeFanIn - 1) * tiers + top + 1);
      }),
      { numRuns: 200 },
    );
  });

  test('a load in segments of any one size is written six times at most, its own segments included', () => {
    for (const size of [64 << 10, 256 << 10, mebibyte, 16 * mebibyte, 32 * mebibyte]) {
      const count = Math.min(20_000, Math.floor((1_024 * mebibyte) / size));
      const { written } = load(
        Array.from({ length: count }, () => size),
        policy,
      );
      expect(1 + written / (count * size)).toBeLessThanOrEqual(6);
    }
  });

  test('tiny segments do not pile up', () => {
    const { segments } = load(
      Array.from({ length: 500 }, () => 900),
      policy,
    );
    expect(segments.length).toBeLessThan(16);
  });

  test('where it is quiet after every load, a row is rewritten once more per threefold size at most, and no three of one size are left', () => {
    const size = fc.integer({ min: 64 << 10, max: 64 * mebibyte });
    fc.assert(
      fc.property(fc.array(size, { minLength: 1, maxLength: 60 }), (sizes) => {
        let segments: SegmentWeight[] = [];
        let written = 0;
        for (const bytes of sizes) {
          segments = [...segments, weight(bytes)];
          const chosen = chooseQuietMerge(segments, policy);
          if (chosen.length === 0) continue;
          const merged = chosen.map((index) => (segments[index] as SegmentWeight).bytes);
          const sum = merged.reduce((total, one) => total + one, 0);
          expect(sum).toBeLessThanOrEqual(policy.mergeBytesMax);
          expect(sum).toBeGreaterThanOrEqual(3 * Math.max(...merged));
          written += sum;
          segments = [...segments.filter((_, index) => !chosen.includes(index)), weight(sum)];
          expect(chooseQuietMerge(segments, policy)).toEqual([]);
        }
        const data = sizes.reduce((total, one) => total + one, 0);
        expect(written).toBeLessThanOrEqual(
          data * Math.ceil(Math.log(policy.mergeBytesMax / (64 << 10)) / Math.log(3)),
        );
      }),
    );
    expect(
      chooseQuietMerge(
        [20, 35, 36, 34, 30].map((one) => weight(one * mebibyte)),
        policy,
      ),
    ).toEqual([0, 1, 2, 3, 4]);
    expect(
      chooseQuietMerge(
        [154, 35, 36, 3, 3, 3].map((one) => weight(one * mebibyte)),
        policy,
      ),
    ).toEqual([3, 4, 5]);
    expect(
      chooseQuietMerge(
        [300, 300, 300, 200, 200, 200].map((one) => weight(one * mebibyte)),
        policy,
      ),
    ).toEqual([]);
  });

  test('what is at the top stays while little of it is dead, and is rewritten alone when much is', () => {
    const top = weight(400 * mebibyte, 0.2);
    expect(chooseMerge([top, top, top, top, top, top, top, top, top], policy)).toEqual([]);
    expect(chooseMerge([top, weight(500 * mebibyte, 0.4)], policy)).toEqual([1]);
    expect(chooseMerge([weight(1_000, 0.9)], policy)).toEqual([]);
  });

  test('the highest tier fills one segment', () => {
    const segments = Array.from({ length: 6 }, () => weight(100 * mebibyte));
    expect(chooseMerge(segments, policy)).toEqual([0, 1, 2, 3, 4]);
    expect(chooseMerge(segments.slice(0, 5), policy)).toEqual([]);
  });

  test('a merge that fills the next tier takes that along', () => {
    const segments = [
      ...Array.from({ length: 7 }, () => weight(8 * mebibyte)),
      ...Array.from({ length: 8 }, () => weight(mebibyte + 1)),
    ];
    expect(chooseMerge(segments, policy)).toEqual(segments.map((_, index) => index));
  });

  test('rows count as bytes do', () => {
    const rows = { ...policy, mergeRowsMax: 80_000 };
    expect(
      chooseMerge(
        Array.from({ length: 8 }, () => weight(100)),
        rows,
      ),
    ).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(chooseMerge([{ bytes: 100, rowCount: 50_000, liveRowCount: 50_000 }, weight(100)], rows)).toEqual([]);
  });
});
