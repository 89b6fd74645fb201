import { describe, expect, test } from '@jest/globals';
import { createSystemClock, sha256 } from '@lagoon/base';
import { encodeBlock, type IdColumn, openBlock, type Schema } from '@lagoon/format';
import type { SegmentReference } from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { writeSegment } from '@lagoon/segment';
import { createSegmentMemory } from './segment-memory.ts';

const schema: Schema = { idKind: 'u64', attributes: new Map() };
const rowCount = 20_000;

function idsOf(first: number, count: number, step: number): IdColumn {
  return { idKind: 'u64', count, values: BigUint64Array.from({ length: count }, (_, n) => BigInt(first + step * n)) };
}

/** A segment with the even ids below twice the count of rows. */
async function storedSegment(): Promise<{ store: ObjectStore; segment: SegmentReference; reads: number[] }> {
  const ids = Array.from({ length: rowCount }, (_, n) => BigInt(2 * n));
  const block = openBlock(encodeBlock({ idKind: 'u64', ids, deletes: [], columns: [] }));
  const identity = { incarnation: 'i', generationFirst: 1, generationLast: 1 };
  const { bytes, footer } = await writeSegment(block, schema, identity);
  const inner = createMemoryStore({ clock: createSystemClock() });
  await inner.put('segment', bytes);
  const reads: number[] = [];
  const store: ObjectStore = {
    ...inner,
    get: async (key, options, signal) => {
      const object = await inner.get(key, options, signal);
      reads.push(object?.bytes.length ?? 0);
      return object;
    },
  };
  const object = { key: 'segment', size: bytes.length, sha256: sha256(bytes) };
  const counts = { rowCount, liveRowCount: rowCount, logicalBytes: 8 * rowCount };
  const segment = { object, footer, ...counts, deleteVector: undefined, generationFirst: 1, generationLast: 1 };
  return { store, segment, reads };
}

describe('memory of segments', () => {
  test('a few absent ids are told by the filter, without the ids; present ones never', async () => {
    const { store, segment, reads } = await storedSegment();
    const memory = createSegmentMemory(store, 1 << 20);
    expect(await memory.lacks(segment, [idsOf(1_000_001, 8, 2)])).toBe(true);
    expect(reads.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(4 * rowCount);
    for (const first of [0, 2, 777_778 % (2 * rowCount), 2 * rowCount - 2]) {
      expect(await memory.lacks(segment, [idsOf(1_000_001, 8, 2), idsOf(first, 1, 2)])).toBe(false);
    }
    expect(await memory.lacks(segment, [idsOf(1_000_001, 65, 2)])).toBe(false);
  });

  test('ids are read once, by their own range, and then known', async () => {
    const { store, segment, reads } = await storedSegment();
    const memory = createSegmentMemory(store, 1 << 20);
    expect((await memory.idsOf(segment)).ids).toEqual(idsOf(0, rowCount, 2));
    expect(reads).toHaveLength(2);
    expect((await memory.idsOf(segment)).ids).toEqual(idsOf(0, rowCount, 2));
    expect(await memory.lacks(segment, [idsOf(1, 1, 2)])).toBe(false);
    expect(reads).toHaveLength(2);
  });
});
