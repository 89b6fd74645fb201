import { describe, expect, test } from '@jest/globals';
import { createSystemClock, isLagoonError } from '@lagoon/base';
import { type IdKind, idAt, openColumn } from '@lagoon/format';
import { createMemoryStore } from '@lagoon/object-store';
import fc from 'fast-check';
import { openSegment } from './open-segment.ts';
import { createRangeReader } from './read-range.ts';
import { openSegmentBytes } from './read-segment.ts';
import { blockOf, manyRows, sampleSchema } from './segment-samples.ts';
import { writeSegment } from './write-segment.v1.ts';

const identity = { incarnation: 'inc', generationFirst: 3, generationLast: 9 };
const key = 'data/f/i/j-0.seg';
const rowCount = 2_600;

/** Rows in reverse where permuted; `reads` are the bytes of each request behind the footer. */
async function openRows(idKind: IdKind, permuted: boolean) {
  const schema = sampleSchema(idKind);
  const order = Uint32Array.from({ length: rowCount }, (_, row) => (row * 1_003) % rowCount);
  const written = await writeSegment(blockOf(schema, manyRows(idKind, rowCount)), schema, identity, {
    ...(permuted ? { order } : {}),
  });
  const store = createMemoryStore({ clock: createSystemClock() });
  await store.put(key, written.bytes);
  const reads: number[] = [];
  const read = createRangeReader(store, { key, size: written.bytes.length }, (bytes) => reads.push(bytes));
  const reader = await openSegment(read, { key, footer: written.footer });
  const vector = reader.footer.columns.find(({ name }) => name === 'v');
  if (vector === undefined) throw new Error('no vectors');
  return { reader, vector, reads, bytes: written.bytes };
}

const rowLists = fc.array(fc.nat(rowCount - 1), { maxLength: 30 }).map((rows) => Uint32Array.from(rows));

describe('rows of a segment by number', () => {
  test.each([
    ['u64', false],
    ['u64', true],
    ['uuid', true],
    ['string', false],
    ['string', true],
  ] as const)(
    'have their ids and vectors in the order asked for, by so many reads, ids %s, permuted %s',
    async (idKind, permuted) => {
      const { reader, vector, reads } = await openRows(idKind, permuted);
      const { ids, rows } = await reader.readIdRows();
      const idOf = new Map(Array.from({ length: rowCount }, (_, rank) => [rows?.[rank] ?? rank, idAt(ids, rank)]));
      const column = openColumn(await reader.readColumn(vector), reader.shapeOf(vector));
      if (column.kind !== 'vector') throw new Error('not vectors');
      expect(reader.hasRowIds).toBe(true);
      await fc.assert(
        fc.asyncProperty(rowLists, fc.integer({ min: 1, max: 5 }), async (wanted, requestCountMax) => {
          reads.length = 0;
          const found = await reader.readRowIds(wanted, requestCountMax);
          expect(reads.length).toBeLessThanOrEqual(requestCountMax);
          expect(Array.from({ length: found.count }, (_, at) => idAt(found, at))).toEqual(
            Array.from(wanted, (row) => idOf.get(row)),
          );
          reads.length = 0;
          const bytes = new Uint8Array(await reader.readVectors(vector, wanted, requestCountMax));
          expect(reads.length).toBeLessThanOrEqual(requestCountMax);
          expect([...new Float32Array(bytes.buffer)]).toEqual(
            Array.from(wanted).flatMap((row) => [...column.values.subarray(3 * row, 3 * row + 3)]),
          );
          const ranges = Array.from(wanted, (row) => ({ from: row, to: Math.min(row + 5, rowCount) }));
          const views = await reader.readVectorRanges(vector, ranges, requestCountMax);
          expect(views.map((view) => [...new Float32Array(new Uint8Array(view).buffer)])).toEqual(
            ranges.map(({ from, to }) => [...column.values.subarray(3 * from, 3 * to)]),
          );
        }),
        { numRuns: 25 },
      );
    },
  );

  test('a row costs one granule of vectors and one of ids', async () => {
    const { reader, vector, reads } = await openRows('u64', true);
    reads.length = 0; // the footer
    await reader.readVectors(vector, Uint32Array.of(1_300), 48);
    await reader.readRowIds(Uint32Array.of(1_300), 48);
    expect(reads).toEqual([4_092, 4_096]);
  });

  test('rows that are not there, and bytes that are others, are corrupt', async () => {
    const { reader, vector, bytes } = await openRows('u64', true);
    for (const read of [
      reader.readVectors(vector, Uint32Array.of(1 << 30), 1),
      reader.readRowIds(Uint32Array.of(1 << 30), 1),
    ]) {
      const error: unknown = await read.catch((cause: unknown) => cause);
      expect(isLagoonError(error, 'corrupt')).toBe(true);
    }
    const rowIds = reader.footer.sections.find(({ kind }) => kind === 9);
    const flipped = bytes.slice();
    (flipped[rowIds?.offset ?? 0] as number) ^= 1;
    const damaged = await openSegmentBytes(key, flipped);
    await expect(damaged.readRowIds(Uint32Array.of(3), 1)).rejects.toMatchObject({
      code: 'corrupt',
      context: { key, section: 9, granule: 0 },
    });
    await expect(damaged.readRowIds(Uint32Array.of(513), 1)).resolves.toMatchObject({ count: 1 });
  });
});
