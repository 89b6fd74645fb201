import { expect, test } from '@jest/globals';
import { createSeededRandom, createSystemClock, type Random } from '@lagoon/base';
import {
  type AttributeSchema,
  andNotInPlace,
  type Block,
  createBitmap,
  createFullBitmap,
  encodeBlock,
  getBit,
  type ListCodec,
  mergeBlocks,
  openBlock,
  type Schema,
  setBit,
  type VectorElement,
} from '@lagoon/format';
import { createMemoryStore } from '@lagoon/object-store';
import { buildIvf, createInlineExecutor, loadKernelModule } from '@lagoon/vector';
import fc from 'fast-check';
import { type ClusteredRows, type ClusterOptions, clusterPieces, clusterRows } from './cluster-rows.ts';
import { mergeSegments, type RowOrderer } from './merge-segments.ts';
import type { SegmentToMerge } from './merge-sources.ts';
import { openSegment } from './open-segment.ts';
import { createRangeReader } from './read-range.ts';
import { inIdOrder, openSegmentBytes } from './read-segment.ts';
import { createMemoryScratch } from './scratch.ts';
import { writeSegment } from './write-segment.v1.ts';

const identity = { incarnation: 'inc', generationFirst: 3, generationLast: 9 };
const dims = 5;

/** Of the columns v, plain and w. */
type Elements = Readonly<Record<'v' | 'plain' | 'w', VectorElement>>;
const kernels = loadKernelModule();
const cluster: ClusterOptions = {
  rowCountMin: 40,
  build: (rows, asked) =>
    buildIvf(rows, { ...asked, leafRows: 10, learningQueryCount: 8 }, kernels, createInlineExecutor(kernels)),
};

/** Two columns with lists, one without. */
function schemaOf(v: ListCodec, w: ListCodec, elements: Elements): Schema {
  const type = (name: keyof Elements) => ({ kind: 'vector', element: elements[name], dims }) as const;
  return {
    idKind: 'u64',
    attributes: new Map<string, AttributeSchema>([
      ['v', { type: type('v'), filterable: false, ann: { distanceMetric: 'cosine_distance', codec: v } }],
      ['plain', { type: type('plain'), filterable: false }],
      ['w', { type: type('w'), filterable: false, ann: { distanceMetric: 'euclidean_squared', codec: w } }],
      ['n', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
    ]),
  };
}

const element = fc.constantFrom<VectorElement>('f32', 'f16', 'i8');
const codec = fc.constantFrom<ListCodec>('flat', 'int8', 'pq4');
const source = fc.record({
  rowCount: fc.integer({ min: 1, max: 90 }),
  form: fc.constantFrom('flat', 'sections', 'permuted', 'lists'),
  missingShare: fc.constantFrom(0, 0.3),
  deadShare: fc.constantFrom(0, 0.2),
});
type Source = typeof source extends fc.Arbitrary<infer T> ? T : never;

function blockOf(random: Random, schema: Schema, ids: readonly bigint[], missingShare: number): Block {
  const column = (name: string) => {
    const type = schema.attributes.get(name)?.type;
    if (type?.kind !== 'vector') throw new Error('vectors only');
    const values = new Float32Array(ids.length * dims);
    const nulls = new Uint8Array(Math.ceil(ids.length / 8));
    for (let row = 0; row < ids.length; row++) {
      if (random.float() < missingShare) setBit(nulls, row);
      else {
        for (let d = 0; d < dims; d++) {
          const value = 4 * random.integer(3) + random.float();
          values[row * dims + d] = type.element === 'i8' ? Math.round(12 * value) : value;
        }
      }
    }
    return { name, type, values, nulls };
  };
  const n = { name: 'n', type: { kind: 'scalar', scalar: 'int' } as const, values: ids };
  return openBlock(
    encodeBlock({ idKind: 'u64', ids, deletes: [], columns: [column('v'), column('plain'), column('w'), n] }),
  );
}

async function segmentOf(random: Random, schema: Schema, source: Source, first: number): Promise<SegmentToMerge> {
  const { rowCount, form, missingShare, deadShare } = source;
  const ids = Array.from({ length: rowCount }, (_, i) => BigInt(i * 7 + first));
  const block = blockOf(random, schema, ids, missingShare);
  const dead = createBitmap(rowCount);
  for (let row = 0; row < rowCount; row++) if (random.float() < deadShare) setBit(dead, row);
  if (form === 'flat') return { rows: block, dead };
  const backwards = Uint32Array.from({ length: rowCount }, (_, row) => rowCount - 1 - row);
  const order = form === 'permuted' ? { order: backwards } : {};
  const clustered = form === 'lists' ? await clusterRows(block, schema, identity, cluster) : order;
  const { bytes, footer } = await writeSegment(block, schema, identity, { ...clustered });
  const store = createMemoryStore({ clock: createSystemClock() });
  await store.put('segment', bytes);
  const object = { key: 'segment', size: bytes.length };
  return { rows: await openSegment(createRangeReader(store, object), { key: object.key, footer }), dead };
}

/** The live rows of all, as one block in the order of ids. */
async function liveRowsOf(segments: readonly SegmentToMerge[], schema: Schema): Promise<Block> {
  const inputs = [];
  for (const { rows, dead } of segments) {
    const block = 'footer' in rows ? await rows.readBlock() : rows;
    const ranks = 'footer' in rows ? (await rows.readIdRows()).rows : undefined;
    const live = createFullBitmap(block.rowCount);
    if (dead !== undefined) andNotInPlace(live, inIdOrder(dead, ranks));
    inputs.push({ block, live });
  }
  return openBlock(mergeBlocks(inputs, schema));
}

test('a merge with lists has the very bytes of a segment written with the same order and lists, and tells where each row went', async () => {
  let clusteredCount = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        v: codec,
        w: codec,
        elements: fc.record({ v: element, plain: element, w: element }),
        seed: fc.nat(),
        windowBytesMax: fc.constantFrom(300, 4_000, 1 << 20),
        sources: fc.array(source, { minLength: 1, maxLength: 4 }),
      }),
      async ({ v, w, elements, seed, windowBytesMax, sources }) => {
        const schema = schemaOf(v, w, elements);
        const random = createSeededRandom(seed);
        const segments: SegmentToMerge[] = [];
        for (const [first, one] of sources.entries()) segments.push(await segmentOf(random, schema, one, first));
        const scratch = createMemoryScratch(1 << 30);
        let chosen: ClusteredRows | undefined;
        const orderRows: RowOrderer = async (rows) => {
          chosen = await clusterPieces(rows.read(), rows.rowCount, schema, identity, { ...cluster, scratch });
          return chosen;
        };
        const options = { scratch, windowBytesMax, orderRows, indexedRowCountMin: 1 };
        const merged = await mergeSegments(segments, schema, identity, options);
        if (merged === undefined) return;
        if (chosen !== undefined) clusteredCount++;

        const expected = { ...chosen, indexedRowCountMin: 1 };
        const written = await writeSegment(await liveRowsOf(segments, schema), schema, identity, expected);
        const bytes = merged.file.read(0, merged.file.size);
        expect(merged.footer).toEqual(written.footer);
        expect(Buffer.compare(bytes, written.bytes)).toBe(0);

        // By this map deletes that come during a merge find their rows.
        const reader = await openSegmentBytes('merged', bytes);
        for (const [index, { rows, dead }] of segments.entries()) {
          const own = 'footer' in rows ? await rows.readIdRows() : { ids: rows.ids, rows: undefined };
          for (let rank = 0; rank < own.ids.count; rank++) {
            const row = own.rows?.[rank] ?? rank;
            if (dead !== undefined && getBit(dead, row)) continue;
            expect(await reader.findRow(own.ids, rank)).toBe(merged.rows[index]?.[row]);
          }
        }
        merged.file.remove();
        expect(scratch.usedBytes).toBe(0);
      },
    ),
    { numRuns: 30 },
  );
  expect(clusteredCount).toBeGreaterThan(5);
}, 60_000);
