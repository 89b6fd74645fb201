import { describe, expect, test } from '@jest/globals';
import { createSystemClock } from '@lagoon/base';
import { createBitmap, type DocumentId, type IdKind, idAt, setBit } from '@lagoon/format';
import { createMemoryStore } from '@lagoon/object-store';
import fc from 'fast-check';
import { mergeSegments, type SegmentToMerge } from './merge-segments.ts';
import { openSegment } from './open-segment.ts';
import { createRangeReader } from './read-range.ts';
import { inIdOrder } from './read-segment.ts';
import { blockOf, contentOf, manyRows, type SampleRow, sampleRows, sampleSchema } from './segment-samples.ts';
import { writeSegment } from './write-segment.v1.ts';

const identity = { incarnation: 'inc', generationFirst: 1, generationLast: 2 };
type Form = 'flat' | 'sections' | 'permuted';

/** Later lists supersede earlier ones by id; `deleted` ids are dead everywhere. What is left is the model. */
async function segmentsOf(
  idKind: IdKind,
  lists: readonly { readonly rows: readonly SampleRow[]; readonly form: Form }[],
  deleted: ReadonlySet<DocumentId>,
  onRead: (bytes: number) => void = () => {},
): Promise<{ segments: SegmentToMerge[]; model: Map<DocumentId, unknown> }> {
  const schema = sampleSchema(idKind);
  const newest = new Map<DocumentId, number>();
  for (const [index, { rows }] of lists.entries()) for (const { id } of rows) newest.set(id, index);
  const model = new Map<DocumentId, unknown>();
  const segments: SegmentToMerge[] = [];
  const store = createMemoryStore({ clock: createSystemClock() });
  for (const [index, { rows, form }] of lists.entries()) {
    const block = blockOf(schema, rows);
    const dead = createBitmap(block.rowCount);
    const order = Uint32Array.from({ length: block.rowCount }, (_, row) => block.rowCount - 1 - row);
    const content = contentOf(block);
    for (let row = 0; row < block.rowCount; row++) {
      const id = idAt(block.ids, row);
      if (deleted.has(id) || newest.get(id) !== index) setBit(dead, row);
      else model.set(id, content.get(id));
    }
    if (form === 'flat') segments.push({ rows: block, dead });
    else {
      const written = await writeSegment(block, schema, identity, form === 'permuted' ? { order } : {});
      const key = `segment ${index}`;
      await store.put(key, written.bytes);
      const read = createRangeReader(store, { key, size: written.bytes.length }, onRead);
      // The order is its own inverse, so it also takes bits from where rows lie to ids.
      const stored = form === 'permuted' ? inIdOrder(dead, order) : dead;
      segments.push({ rows: await openSegment(read, { key, footer: written.footer }), dead: stored });
    }
  }
  return { segments, model };
}

describe('merge of segments', () => {
  test('gives the live rows of all, once each, in order, whatever their form and the size of a piece', async () => {
    const input = fc.constantFrom<IdKind>('u64', 'uuid', 'string').chain((idKind) => {
      const form = fc.constantFrom<Form>('flat', 'sections', 'sections', 'permuted');
      return fc.record({
        idKind: fc.constant(idKind),
        lists: fc.array(fc.record({ rows: sampleRows(idKind, 20), form }), { minLength: 1, maxLength: 4 }),
        again: fc.array(fc.nat(), { maxLength: 8 }),
        deletes: fc.array(fc.nat(), { maxLength: 8 }),
        pieceBytesMax: fc.constantFrom(1, 100, 1_000, 1 << 20),
      });
    });
    await fc.assert(
      fc.asyncProperty(input, async ({ idKind, lists, again, deletes, pieceBytesMax }) => {
        const all = lists.flatMap(({ rows }) => rows);
        const pick = (n: number): SampleRow | undefined => all[n % Math.max(1, all.length)];
        const rewritten = new Map(again.flatMap((n) => pick(n) ?? []).map((row) => [row.id, row]));
        const played = [...lists, { rows: [...rewritten.values()], form: 'sections' as const }];
        const deleted = new Set(deletes.flatMap((n) => pick(n)?.id ?? []));
        const { segments, model } = await segmentsOf(idKind, played, deleted);
        const found: [DocumentId, unknown][] = [];
        const schema = sampleSchema(idKind);
        for await (const block of mergeSegments(segments, schema, { pieceBytesMax })) {
          expect(block.rowCount).toBeGreaterThan(0);
          found.push(...contentOf(block));
        }
        expect(found).toHaveLength(model.size);
        expect(new Map(found)).toEqual(model);
        const ids = found.map(([id]) => id);
        const ordered = blockOf(
          schema,
          ids.map((id) => ({ id, values: {} })),
        );
        expect(ids).toEqual(Array.from({ length: ids.length }, (_, row) => idAt(ordered.ids, row)));
      }),
      { numRuns: 60 },
    );
  });

  test('reads every row about once, a piece at a time', async () => {
    const rows = manyRows('u64', 6_000);
    const lists = [0, 1, 2].map((part) => ({
      rows: rows.filter((_, n) => n % 3 === part),
      form: 'sections' as const,
    }));
    let largest = 0;
    let total = 0;
    const { segments, model } = await segmentsOf('u64', lists, new Set(), (bytes) => {
      largest = Math.max(largest, bytes);
      total += bytes;
    });
    const whole = total;
    let count = 0;
    let rowCount = 0;
    for await (const block of mergeSegments(segments, sampleSchema('u64'), { pieceBytesMax: 100_000 })) {
      expect(block.logicalBytes).toBeLessThan(130_000);
      count++;
      rowCount += block.rowCount;
    }
    expect(count).toBeGreaterThan(4);
    expect(rowCount).toBe(model.size);
    expect(largest).toBeLessThan(100_000);
    expect(total - whole).toBeLessThan(1_000_000);
  });
});
