import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { createSystemClock, isLagoonError, sha256, utf8Encode } from '@lagoon/base';
import { type Block, createBitmap, getBit, type IdKind, idAt, orRowSets, valueAt } from '@lagoon/format';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { openTextIndex } from '@lagoon/text';
import fc from 'fast-check';
import { findKeys } from './look-up.ts';
import { openSegment, type SegmentReader } from './open-segment.ts';
import { createRangeReader } from './read-range.ts';
import { openSegmentBytes, readSegmentRows } from './read-segment.ts';
import { blockOf, contentOf, manyRows, type SampleRow, sampleRows, sampleSchema } from './segment-samples.ts';
import { type WrittenSegment, writeSegment } from './write-segment.v1.ts';

const identity = { incarnation: 'inc', generationFirst: 3, generationLast: 9 };
const key = 'data/f/i/j-0.seg';
const idKinds: readonly IdKind[] = ['u64', 'uuid', 'string'];

function write(idKind: IdKind, rows: readonly SampleRow[], order?: Uint32Array): Promise<WrittenSegment> {
  const schema = sampleSchema(idKind);
  const options = order === undefined ? {} : { order };
  return writeSegment(blockOf(schema, rows), schema, identity, { ...options, indexedRowCountMin: 0 });
}

/** A store with the segment in it, that counts reads. */
async function stored(written: WrittenSegment) {
  const store = createMemoryStore({ clock: createSystemClock() });
  await store.put(key, written.bytes);
  const reads: number[] = [];
  const read = createRangeReader(store, { key, size: written.bytes.length }, (bytes) => reads.push(bytes));
  return { store, reads, reader: await openSegment(read, { key, footer: written.footer }) };
}

/** A permutation, from seeds. */
function permutation(seeds: readonly number[], count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, row) => row);
  for (let row = count - 1; row > 0; row--) {
    const other = (seeds[row % seeds.length] ?? 0) % (row + 1);
    [order[row], order[other]] = [order[other] as number, order[row] as number];
  }
  return order;
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Everything that readers of single sections see, as plain values. */
async function readAll(reader: SegmentReader): Promise<unknown[]> {
  const out: unknown[] = [await reader.readIds()];
  const ids = out[0] as Block['ids'];
  const filter = await reader.readIdFilter();
  for (let row = 0; row < ids.count; row++) {
    if (!filter(ids, row)) throw new Error('a present id does not pass the filter');
    out.push([idAt(ids, row), await reader.findRow(ids, row)]);
  }
  if (reader.hasRowIds)
    out.push(
      await reader.readRowIds(
        Uint32Array.from({ length: ids.count }, (_, row) => row),
        3,
      ),
    );
  for (const column of reader.footer.columns) {
    out.push([column.name, Array.from(await reader.readColumn(column))]);
    for (const index of [reader.valueIndex(column), reader.ngramIndex(column)]) {
      if (index === undefined) continue;
      const { postingsGranuleCount, blockCount, nullCount } = index.root;
      const granules = await index.readGranules({ from: 0, to: postingsGranuleCount + blockCount });
      out.push([nullCount, Array.from(granules)]);
    }
    if (reader.textSize(column) === undefined) continue;
    const bytes = new Uint8Array(await reader.readText(column));
    const size = reader.textIndexSize(column) ?? 0;
    const index = openTextIndex(bytes.slice(0, size));
    for (const term of ['red', 'green', 'blue', 'tief', 'see', 'naïve', 'absent']) {
      const found = index.postings(term);
      if (found !== undefined) out.push([term, Array.from(found.rows), Array.from(found.frequencies)]);
    }
    out.push(Array.from(index.lengths), index.totalLength, Array.from(bytes.subarray(size)));
  }
  for (let row = 0; row < reader.footer.rowCount; row++) {
    const place = reader.documentBlockOf(row);
    const block = await reader.readDocumentBlock(place);
    out.push([...block.columns.values()].map(({ name, column }) => [name, valueAt(column, row - place.firstRow)]));
  }
  out.push(contentOf(await reader.readBlock()));
  return out;
}

describe('segment v1', () => {
  test.each(idKinds)('gives back the rows that were written, ids %s, whatever their order in it', async (idKind) => {
    await fc.assert(
      fc.asyncProperty(
        sampleRows(idKind),
        fc.option(fc.array(fc.nat(), { minLength: 3, maxLength: 40 })),
        async (rows, seeds) => {
          const block = blockOf(sampleSchema(idKind), rows);
          const order = seeds === null ? undefined : permutation(seeds, rows.length);
          const { reader } = await stored(await write(idKind, rows, order));
          const back = await reader.readBlock();
          expect(contentOf(back)).toEqual(contentOf(block));
          expect(back.logicalBytes).toBe(block.logicalBytes);
          for (let rank = 0; rank < block.rowCount; rank++) {
            const row = order === undefined ? rank : order.indexOf(rank);
            expect(await reader.findRow(block.ids, rank)).toBe(row);
            const place = reader.documentBlockOf(row);
            const documents = await reader.readDocumentBlock(place);
            const s = documents.columns.get('s')?.column;
            const expected = block.columns.get('s')?.column;
            if (s === undefined || expected === undefined) throw new Error('no column');
            expect(valueAt(s, row - place.firstRow)).toEqual(valueAt(expected, rank));
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  test.each(idKinds)('finds an id in at most two reads, cold, and no other, ids %s', async (idKind) => {
    const rows = manyRows(idKind, 3_000);
    const probes = blockOf(sampleSchema(idKind), manyRows(idKind, 9_000).map(shiftedId(idKind)));
    const written = await write(idKind, rows);
    const { reader, reads } = await stored(written);
    const present = blockOf(sampleSchema(idKind), rows);
    for (const row of [0, 1, 127, 128, 511, 512, 2_998, 2_999]) {
      reads.length = 1; // the footer
      expect(await reader.findRow(present.ids, row)).toBe(row);
      expect(reads.length).toBeLessThanOrEqual(2);
    }
    const filter = await reader.readIdFilter();
    let passed = 0;
    for (let row = 0; row < probes.ids.count; row++) {
      if (filter(probes.ids, row)) passed++;
      if (row % 500 === 0) expect(await reader.findRow(probes.ids, row)).toBe(-1);
    }
    expect(passed).toBeLessThan(0.03 * probes.ids.count);
  });

  test('reads no more than the granules that it is asked for, and the documents of a row at once', async () => {
    const { reader, reads } = await stored(await write('u64', manyRows('u64', 3_000)));
    expect(reads).toHaveLength(1);
    const place = reader.documentBlockOf(1_234);
    await reader.readDocumentBlock(place);
    expect(reads).toHaveLength(2);
    expect(reads[1]).toBeLessThan(40 << 10);
  });

  test('every flipped bit is corrupt, naming the key, or one that no answer depends on', async () => {
    const rows = fc.sample(sampleRows('string', 2), { numRuns: 1, seed: 5 })[0] ?? [];
    const written = await write('string', rows);
    const expected = await readAll((await stored(written)).reader);
    for (let bit = 0; bit < 8 * written.bytes.length; bit += 1) {
      const bytes = written.bytes.slice();
      bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ (1 << (bit & 7));
      // As a whole for one bit of each byte: it takes as long as all else here.
      const isTaken = (bit & 7) === ((bit >>> 3) & 7);
      const whole = isTaken
        ? await failureOf(openSegmentBytes(key, bytes).then((reader) => reader.readBlock()))
        : undefined;
      const store = createMemoryStore({ clock: createSystemClock() });
      await store.put(key, bytes);
      const read = createRangeReader(store, { key, size: bytes.length });
      let found: unknown;
      const byRange = await failureOf(
        openSegment(read, { key, footer: written.footer })
          .then(readAll)
          .then((all) => {
            found = all;
          }),
      );
      for (const error of [whole, byRange]) {
        if (error !== undefined && !isLagoonError(error, 'corrupt')) throw error;
        if (error !== undefined) expect(String(error)).toContain(key);
      }
      if (byRange === undefined) expect(found).toEqual(expected); // the header or a zero between sections
    }
  }, 60_000);

  test('every truncation and every wrong footer place is corrupt', async () => {
    const rows = fc.sample(sampleRows('u64', 5), { numRuns: 1, seed: 7 })[0] ?? [];
    const { bytes, footer } = await write('u64', rows);
    for (let size = 0; size < bytes.length; size++) {
      const error = await failureOf(openSegmentBytes(key, bytes.subarray(0, size)));
      expect(isLagoonError(error, 'corrupt')).toBe(true);
    }
    const store: ObjectStore = createMemoryStore({ clock: createSystemClock() });
    await store.put(key, bytes);
    const read = createRangeReader(store, { key, size: bytes.length });
    for (let offset = 0; offset < footer.offset; offset += 7) {
      const place = { offset, size: bytes.length - offset };
      expect(isLagoonError(await failureOf(openSegment(read, { key, footer: place })), 'corrupt')).toBe(true);
    }
  });

  test('a flat segment of an earlier version is read as it was', async () => {
    const schema = sampleSchema('u64');
    const block = blockOf(schema, manyRows('u64', 20));
    const store = createMemoryStore({ clock: createSystemClock() });
    const reference = { key, size: block.bytes.length, sha256: sha256(block.bytes) };
    await store.put(key, block.bytes);
    expect(await readSegmentRows(store, reference)).toEqual({ bytes: block.bytes, rows: undefined });
    const { bytes } = await writeSegment(block, schema, identity);
    await store.put(key, bytes);
    const back = await readSegmentRows(store, { key, size: bytes.length, sha256: sha256(bytes) });
    expect(back).toEqual({ bytes: block.bytes, rows: undefined });
  });

  test('the golden segment with attribute indexes is read as it was written', async () => {
    const bytes = new Uint8Array(await readFile(new URL('../golden/segment.v1.indexed.bin', import.meta.url)));
    const reader = await openSegmentBytes(key, bytes);
    const rows = manyRows('u64', 300);
    expect(contentOf(await reader.readBlock())).toEqual(contentOf(blockOf(sampleSchema('u64'), rows)));
    const wanted = {
      valueIndex: [['s', 'value 17', [17, 117, 217]]],
      ngramIndex: [['s', 'e 9', [9, 109, 209]]],
    } as const;
    for (const [kind, lookups] of Object.entries(wanted)) {
      for (const [name, text, found] of lookups) {
        const column = reader.footer.columns.find((candidate) => candidate.name === name);
        if (column === undefined) throw new Error('no column');
        const index = kind === 'valueIndex' ? reader.valueIndex(column) : reader.ngramIndex(column);
        if (index === undefined) throw new Error('no index');
        const read = (granules: readonly number[]) =>
          Promise.all(granules.map((granule) => index.readGranules({ from: granule, to: granule + 1 })));
        const [place] = await findKeys(index.root, [utf8Encode(text)], read);
        const postings = await index.readGranules({ from: 0, to: index.root.postingsGranuleCount });
        const bitmap = createBitmap(300);
        orRowSets(bitmap, 300, postings, place?.from, place?.to);
        expect(found.every((row) => getBit(bitmap, row))).toBe(true);
        expect(place?.rowCount).toBeGreaterThanOrEqual(found.length);
      }
    }
  });

  test.each(idKinds)('the golden segment of ids %s is read as it was written', async (idKind) => {
    const bytes = new Uint8Array(await readFile(new URL(`../golden/segment.v1.${idKind}.bin`, import.meta.url)));
    const reader = await openSegmentBytes(key, bytes);
    const rows = manyRows(idKind, 300);
    expect(contentOf(await reader.readBlock())).toEqual(contentOf(blockOf(sampleSchema(idKind), rows)));
    expect(reader.footer).toMatchObject(identity);
    expect(reader.footer.permuted).toBe(idKind === 'uuid');
    expect(reader.hasRowIds).toBe(idKind !== 'uuid'); // it was written before rows had their ids
    await readAll(reader);
  });

  test('the golden segment with ids by row is read as it was written', async () => {
    const bytes = new Uint8Array(await readFile(new URL('../golden/segment.v1.row-ids.bin', import.meta.url)));
    const reader = await openSegmentBytes(key, bytes);
    expect(contentOf(await reader.readBlock())).toEqual(
      contentOf(blockOf(sampleSchema('string'), manyRows('string', 300))),
    );
    expect(reader.footer.permuted && reader.hasRowIds).toBe(true);
    const found = await reader.readRowIds(Uint32Array.of(299, 0, 128, 0), 4);
    expect(Array.from({ length: found.count }, (_, at) => idAt(found, at))).toEqual(
      [0, 299, 171, 299].map((n) => `document-${String(3 * n).padStart(7, '0')}`),
    );
    await readAll(reader);
  });
});

function shiftedId(idKind: IdKind): (row: SampleRow, n: number) => SampleRow {
  return (row, n) => ({
    ...row,
    id:
      idKind === 'u64'
        ? BigInt(3 * n + 1)
        : idKind === 'uuid'
          ? `00000000-0000-4000-8000-${String(3 * n + 1).padStart(12, '0')}`
          : `document-${String(3 * n + 1).padStart(7, '0')}`,
  });
}
