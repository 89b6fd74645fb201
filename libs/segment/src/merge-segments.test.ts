import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createSystemClock, sha256 } from '@lagoon/base';
import {
  andNotInPlace,
  createBitmap,
  createFullBitmap,
  type DocumentId,
  encodeBlock,
  getBit,
  type IdKind,
  idAt,
  mergeBlocks,
  openBlock,
  type Schema,
  setBit,
} from '@lagoon/format';
import { createMemoryStore } from '@lagoon/object-store';
import fc from 'fast-check';
import { type MergedObject, mergeSegments, noRank, type RowOrderer } from './merge-segments.ts';
import type { SegmentToMerge } from './merge-sources.ts';
import { openSegment, type SegmentReader } from './open-segment.ts';
import { createRangeReader } from './read-range.ts';
import { inIdOrder, openSegmentBytes } from './read-segment.ts';
import { createFileScratch, createMemoryScratch } from './scratch.ts';
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

const bytesMax = 1 << 30;

/** What the merge must write: the bytes of all live rows at once. */
async function expected(segments: readonly SegmentToMerge[], schema: Schema, order: Uint32Array | undefined) {
  const sources = [];
  for (const { rows, dead } of segments) {
    const block = 'footer' in rows ? await rows.readBlock() : rows;
    const live = createFullBitmap(block.rowCount);
    const ranks = 'footer' in rows ? (await rows.readIdRows()).rows : undefined;
    if (dead !== undefined) andNotInPlace(live, inIdOrder(dead, ranks));
    sources.push({ block, live });
  }
  const block = openBlock(mergeBlocks(sources, schema));
  return await writeSegment(block, schema, identity, { ...(order && { order }), indexedRowCountMin: 1 });
}

describe('merge of segments', () => {
  test('writes the very bytes of a segment of all live rows, whatever their form, order and the size of a window', async () => {
    const input = fc.constantFrom<IdKind>('u64', 'uuid', 'string').chain((idKind) => {
      const form = fc.constantFrom<Form>('flat', 'sections', 'sections', 'permuted');
      return fc.record({
        idKind: fc.constant(idKind),
        lists: fc.array(fc.record({ rows: sampleRows(idKind, 20), form }), { minLength: 1, maxLength: 4 }),
        again: fc.array(fc.nat(), { maxLength: 8 }),
        deletes: fc.array(fc.nat(), { maxLength: 8 }),
        windowBytesMax: fc.constantFrom(1, 500, 3_000, 1 << 20),
        isReordered: fc.boolean(),
      });
    });
    await fc.assert(
      fc.asyncProperty(input, async ({ idKind, lists, again, deletes, windowBytesMax, isReordered }) => {
        const all = lists.flatMap(({ rows }) => rows);
        const pick = (n: number): SampleRow | undefined => all[n % Math.max(1, all.length)];
        const rewritten = new Map(again.flatMap((n) => pick(n) ?? []).map((row) => [row.id, row]));
        const played = [...lists, { rows: [...rewritten.values()], form: 'sections' as const }];
        const deleted = new Set(deletes.flatMap((n) => pick(n)?.id ?? []));
        const { segments, model } = await segmentsOf(idKind, played, deleted);
        const schema = sampleSchema(idKind);
        const scratch = createMemoryScratch(bytesMax);
        const orderRows: RowOrderer = async (rows) => {
          let count = 0;
          for await (const { ranks } of rows.read()) count += ranks.filter((rank) => rank !== noRank).length;
          expect(count).toBe(rows.rowCount);
          return isReordered ? { order: shuffled(rows.rowCount), lists: new Map() } : undefined;
        };
        const options = { scratch, windowBytesMax, orderRows, indexedRowCountMin: 1 };
        const merged = await mergeSegments(segments, schema, identity, options);
        expect(merged?.rowCount ?? 0).toBe(model.size);
        if (merged === undefined) return;
        const written = await expected(segments, schema, isReordered ? shuffled(model.size) : undefined);
        const bytes = merged.file.read(0, merged.file.size);
        expect(merged.footer).toEqual(written.footer);
        expect(bytes).toEqual(written.bytes);
        expect(merged.sha256).toEqual(sha256(bytes));
        await expectRowsLedRight(segments, merged, await openSegmentBytes('merged', bytes));
        merged.file.remove();
        expect(scratch.usedBytes).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  test('columns that only some segments have, and types that the schema has changed, come out as the schema says', async () => {
    const schema: Schema = {
      idKind: 'u64',
      attributes: new Map([
        ['a', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
        ['b', { type: { kind: 'scalar', scalar: 'float' }, filterable: true }],
      ]),
    };
    const block = (ids: readonly bigint[], name: string, scalar: 'int' | 'float') =>
      openBlock(
        encodeBlock({
          idKind: 'u64',
          ids,
          deletes: [],
          columns: [{ name, type: { kind: 'scalar', scalar }, values: ids.map((id) => (scalar === 'int' ? id : 0.5)) }],
        }),
      );
    const segments = [block([1n, 4n], 'b', 'float'), block([2n, 3n], 'a', 'int'), block([5n], 'b', 'int')].map(
      (rows) => ({ rows, dead: undefined }),
    );
    const options = { scratch: createMemoryScratch(bytesMax), windowBytesMax: 100, indexedRowCountMin: 1 };
    const merged = await mergeSegments(segments, schema, identity, options);
    expect(merged?.file.read(0, merged.file.size)).toEqual((await expected(segments, schema, undefined)).bytes);
  });

  test('reads every row about once, in pieces of about a window', async () => {
    const rows = manyRows('u64', 6_000);
    const lists = [0, 1, 2].map((part) => ({
      rows: rows.filter((_, n) => n % 3 === part),
      form: part === 1 ? ('permuted' as const) : ('sections' as const),
    }));
    let largest = 0;
    let total = 0;
    const { segments, model } = await segmentsOf('u64', lists, new Set(), (bytes) => {
      largest = Math.max(largest, bytes);
      total += bytes;
    });
    const opened = total;
    const scratch = createMemoryScratch(bytesMax);
    const merged = await mergeSegments(segments, sampleSchema('u64'), identity, { scratch, windowBytesMax: 100_000 });
    expect(merged?.rowCount).toBe(model.size);
    expect(largest).toBeLessThan(100_000);
    expect(total - opened).toBeLessThan(1_000_000);
  });

  test.each(['memory', 'files'])('stops where the scratch space, in %s, is used up', async (kind) => {
    const { segments } = await segmentsOf('u64', [{ rows: manyRows('u64', 3_000), form: 'sections' }], new Set());
    const directory = mkdtempSync(join(tmpdir(), 'lagoon-scratch-'));
    const scratch = kind === 'memory' ? createMemoryScratch(100_000) : createFileScratch(directory, 100_000);
    const merge = mergeSegments(segments, sampleSchema('u64'), identity, { scratch, windowBytesMax: 50_000 });
    await expect(merge).rejects.toMatchObject({ code: 'resource_exhausted' });
    expect(readdirSync(directory)).toEqual([]);
    scratch.close();
    rmSync(directory, { recursive: true });
  });
});

/** A fixed permutation of so many. */
function shuffled(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, row) => row);
  return order.sort((a, b) => ((a * 7919) % 101) - ((b * 7919) % 101) || a - b);
}

/** Where a merge says that a row went, the row with its id lies. */
async function expectRowsLedRight(segments: readonly SegmentToMerge[], merged: MergedObject, reader: SegmentReader) {
  for (const [index, { rows, dead }] of segments.entries()) {
    const own = 'footer' in rows ? await rows.readIdRows() : { ids: rows.ids, rows: undefined };
    for (let rank = 0; rank < own.ids.count; rank++) {
      const row = own.rows?.[rank] ?? rank;
      if (dead !== undefined && getBit(dead, row)) continue;
      expect(await reader.findRow(own.ids, rank)).toBe(merged.rows[index]?.[row]);
    }
  }
}
