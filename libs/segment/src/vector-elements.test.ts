import { expect, test } from '@jest/globals';
import { createSeededRandom, createSystemClock } from '@lagoon/base';
import {
  type AttributeSchema,
  encodeBlock,
  openBlock,
  openColumn,
  type Schema,
  setBit,
  type VectorElement,
  vectorElementBytes,
  vectorValuesOf,
} from '@lagoon/format';
import { createMemoryStore } from '@lagoon/object-store';
import { openSegment } from './open-segment.ts';
import { createRangeReader } from './read-range.ts';
import { writeSegment } from './write-segment.v1.ts';

const identity = { incarnation: 'inc', generationFirst: 3, generationLast: 9 };
const rowCount = 1_500;
const dims = 5; // rows of f16 and i8 are no whole words

async function openRows(element: VectorElement) {
  const random = createSeededRandom(3);
  const type = { kind: 'vector', element, dims } as const;
  const values = new Float32Array(rowCount * dims).map(() => random.integer(200) - 100);
  const nulls = new Uint8Array(Math.ceil(rowCount / 8));
  for (let row = 0; row < rowCount; row += 7) setBit(nulls, row);
  const ids = Array.from({ length: rowCount }, (_, row) => BigInt(row));
  const columns = [{ name: 'v', type, values, nulls }];
  const block = openBlock(encodeBlock({ idKind: 'u64', ids, deletes: [], columns }));
  const attributes = new Map<string, AttributeSchema>([['v', { type, filterable: false }]]);
  const schema: Schema = { idKind: 'u64', attributes };
  const { bytes, footer } = await writeSegment(block, schema, identity, {});
  const store = createMemoryStore({ clock: createSystemClock() });
  await store.put('key', bytes);
  const reads: number[] = [];
  const read = createRangeReader(store, { key: 'key', size: bytes.length }, (size) => reads.push(size));
  const reader = await openSegment(read, { key: 'key', footer });
  const [vector] = reader.footer.columns;
  if (vector === undefined) throw new Error('no vectors');
  const rowsOf = (from: number, to: number) =>
    Array.from(values.subarray(from * dims, to * dims), (value, i) =>
      (from + Math.floor(i / dims)) % 7 === 0 ? 0 : value,
    );
  return { reader, vector, block, reads, rowsOf };
}

test.each(['f32', 'f16', 'i8'] as const)(
  'vectors of %s are read whole, by rows and by granules of whole rows',
  async (element) => {
    const { reader, vector, block, reads, rowsOf } = await openRows(element);
    const rowBytes = dims * vectorElementBytes(element);
    const floatsOf = (bytes: Uint8Array) => [...vectorValuesOf(element, new Uint8Array(bytes))];
    expect((await reader.readBlock()).bytes).toEqual(block.bytes);
    const column = openColumn(await reader.readColumn(vector), reader.shapeOf(vector));
    expect(column.kind === 'vector' ? [...column.values] : []).toEqual(rowsOf(0, rowCount));
    const wanted = [0, 1, 700, 1_499];
    expect(floatsOf(await reader.readVectors(vector, Uint32Array.from(wanted), 4))).toEqual(
      wanted.flatMap((row) => rowsOf(row, row + 1)),
    );
    for (const [from, to] of [
      [0, rowCount],
      [3, 9],
      [813, 1_499],
    ] as const) {
      const [views] = await reader.readVectorRanges(vector, [{ from, to }], 1);
      expect(floatsOf(views ?? new Uint8Array(0))).toEqual(rowsOf(from, to));
      const rows = (await reader.readRowColumns(from, to))[0]?.column;
      expect(rows?.kind === 'vector' ? [...rows.values] : []).toEqual(rowsOf(from, to));
    }
    reads.length = 0;
    await reader.readVectors(vector, Uint32Array.of(900), 1);
    expect(reads[0]).toBe(rowBytes * Math.floor(4_096 / rowBytes));
  },
);
