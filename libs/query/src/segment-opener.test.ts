import { describe, expect, test } from '@jest/globals';
import { createSystemClock, sha256 } from '@lagoon/base';
import { encodeBlock, openBlock, type Schema } from '@lagoon/format';
import type { SegmentReference } from '@lagoon/namespace';
import { createMemoryStore, metered } from '@lagoon/object-store';
import { encodeDeleteVector, writeSegment } from '@lagoon/segment';
import { createSegmentOpener } from './segment-opener.ts';

const rowCount = 100;
const schema: Schema = { idKind: 'u64', attributes: new Map() };
const { signal } = new AbortController();

/** Segments with a delete vector of its own each, in a store that counts. */
async function segmentsIn(count: number) {
  const store = metered(createMemoryStore({ clock: createSystemClock() }), { clock: createSystemClock() });
  const segments: SegmentReference[] = [];
  for (let n = 0; n < count; n++) {
    const ids = Array.from({ length: rowCount }, (_, row) => BigInt(row));
    const block = openBlock(encodeBlock({ idKind: 'u64', ids, deletes: [], columns: [] }));
    const generations = { generationFirst: 1, generationLast: 1 };
    const { bytes, footer } = await writeSegment(block, schema, { incarnation: 'i', ...generations });
    const bitmap = new Uint8Array(13);
    bitmap[0] = n + 1;
    const dead = encodeDeleteVector(bitmap, rowCount);
    const referTo = async (key: string, content: Uint8Array) => {
      await store.put(key, content);
      return { key, size: content.length, sha256: sha256(content) };
    };
    const deleteVector = { kind: 'object' as const, object: await referTo(`data/f/i/j-${n}.del`, dead) };
    const object = await referTo(`data/f/i/j-${n}.seg`, bytes);
    const counts = { rowCount, liveRowCount: rowCount - 1, logicalBytes: 8 };
    segments.push({ object, footer, deleteVector, ...counts, ...generations });
  }
  store.reset();
  const usage = { requestCount: 0 };
  const opener = createSegmentOpener({ store, byColumn: true }, (requestCount) => {
    usage.requestCount += requestCount;
  });
  return { store, segments, opener, usage };
}

describe('opening segments ahead', () => {
  test('reads footers and dead rows once, whoever takes them then', async () => {
    const { store, segments, opener, usage } = await segmentsIn(3);
    await Promise.all([opener.openAhead(segments, signal), opener.openAhead(segments, signal)]);
    expect(store.snapshot().get).toBe(6);
    for (const [n, segment] of segments.entries()) {
      const { reader, dead } = await opener.open(segment);
      expect(reader?.footer.rowCount).toBe(rowCount);
      expect(dead?.[0]).toBe(n + 1);
    }
    expect(store.snapshot().get).toBe(6);
    expect(usage.requestCount).toBe(6);
    await opener.open(segments[0] as SegmentReference); // taken: it is read again
    expect(store.snapshot().get).toBe(8);
  });

  test('joins what is still under way', async () => {
    const { store, segments, opener } = await segmentsIn(1);
    const ahead = opener.openAhead(segments, signal);
    expect((await opener.open(segments[0] as SegmentReference)).reader).toBeDefined();
    await ahead;
    expect(store.snapshot().get).toBe(2);
  });

  test('what failed ahead is read when it is wanted, and fails then if it must', async () => {
    const { store, segments, opener } = await segmentsIn(2);
    const [first, second] = segments as [SegmentReference, SegmentReference];
    const bytes = (await store.get(first.object.key))?.bytes ?? new Uint8Array(0);
    await store.delete([first.object.key, second.object.key]);
    await opener.openAhead(segments, signal);
    await store.put(first.object.key, bytes);
    expect((await opener.open(first)).reader?.footer.rowCount).toBe(rowCount);
    await expect(opener.open(second)).rejects.toMatchObject({ code: 'not_found', reason: 'gone' });
  });

  test('of the same segment with other dead rows the footer is kept, and what nobody took is let go', async () => {
    const { store, segments, opener } = await segmentsIn(2);
    const [first, second] = segments as [SegmentReference, SegmentReference];
    await opener.openAhead([first], signal);
    const later = { ...first, deleteVector: second.deleteVector };
    expect((await opener.open(later)).dead?.[0]).toBe(2);
    expect(store.snapshot().get).toBe(3);
    opener.forget();
    expect((await opener.readDead(first))?.[0]).toBe(1);
    expect(store.snapshot().get).toBe(4);
  });
});
