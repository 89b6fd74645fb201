import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, createSystemClock, isLagoonError } from '@lagoon/base';
import {
  type AnnSettings,
  type AttributeSchema,
  type Block,
  encodeBlock,
  idAt,
  type ListCodec,
  openBlock,
  type Schema,
  type VectorElement,
} from '@lagoon/format';
import { createMemoryStore } from '@lagoon/object-store';
import { buildIvf, createInlineExecutor, listBytes, loadKernelModule } from '@lagoon/vector';
import { type ClusteredRows, type ClusterOptions, clusterPieces, clusterRows } from './cluster-rows.ts';
import { decodeClusters } from './clusters.v1.ts';
import type { FooterPlace } from './footer-place.ts';
import { mergeSegments, noRank } from './merge-segments.ts';
import { openSegment, type SegmentReader } from './open-segment.ts';
import { createRangeReader } from './read-range.ts';
import { openSegmentBytes } from './read-segment.ts';
import { createMemoryScratch } from './scratch.ts';
import { writeSegment } from './write-segment.v1.ts';

const identity = { incarnation: 'inc', generationFirst: 3, generationLast: 9 };
const dims = 6;
const module = loadKernelModule();
const options: ClusterOptions = {
  rowCountMin: 100,
  build: (rows, asked) =>
    buildIvf(rows, { ...asked, leafRows: 20, learningQueryCount: 32 }, module, createInlineExecutor(module)),
};

function schemaOf(codec: ListCodec | undefined, element: VectorElement = 'f32'): Schema {
  const type = { kind: 'vector', element, dims } as const;
  const ann: AnnSettings = { distanceMetric: 'euclidean_squared', ...(codec === undefined ? {} : { codec }) };
  return {
    idKind: 'u64',
    attributes: new Map<string, AttributeSchema>([
      ['none', { type, filterable: false }],
      ['v', { type, filterable: false, ann }],
      ['w', { type, filterable: false, ann }],
      ['few', { type, filterable: false, ann }],
    ]),
  };
}

/** Row i has v but for every seventh, w but for every fifth; few has less than lists want. */
function blockOf(count: number, step = 1, first = 0, element: VectorElement = 'f32'): Block {
  const random = createSeededRandom(5);
  const ids = Array.from({ length: count }, (_, i) => BigInt(first + step * i));
  const component = (value: number): number => (element === 'i8' ? Math.round(4 * value) : value);
  const column = (name: string, isMissing: (row: number) => boolean) => {
    const values = new Float32Array(count * dims);
    const nulls = new Uint8Array(Math.ceil(count / 8));
    for (let row = 0; row < count; row++) {
      if (isMissing(row)) nulls[row >> 3] = (nulls[row >> 3] as number) | (1 << (row & 7));
      else for (let d = 0; d < dims; d++) values[row * dims + d] = component(10 * random.integer(3) + random.float());
    }
    return { name, type: { kind: 'vector', element, dims } as const, values, nulls };
  };
  const columns = [
    column('none', () => false),
    column('v', (row) => row % 7 === 3),
    column('w', (row) => row % 5 === 1),
    column('few', (row) => row >= 50),
  ];
  return openBlock(encodeBlock({ idKind: 'u64', ids, deletes: [], columns }));
}

async function stored(bytes: Uint8Array, footer: FooterPlace, reads: number[] = []) {
  const store = createMemoryStore({ clock: createSystemClock() });
  await store.put('key', bytes);
  const read = createRangeReader(store, { key: 'key', size: bytes.length }, (count) => reads.push(count));
  return await openSegment(read, { key: 'key', footer });
}

/** Per column with lists, per list, the ids of its rows; checks what the parts say of one another. */
async function listsOf(reader: SegmentReader): Promise<Map<string, bigint[][]>> {
  const out = new Map<string, bigint[][]>();
  const { ids, rows } = await reader.readIdRows();
  const idOfRow = new Map(
    Array.from({ length: ids.count }, (_, rank) => [rows?.[rank] ?? rank, idAt(ids, rank) as bigint]),
  );
  for (const column of reader.footer.columns) {
    const lists = reader.lists(column);
    if (lists === undefined) continue;
    const clusters = decodeClusters(new Uint8Array(await lists.clusters.read()));
    const bytes = await lists.rows?.read();
    expect(bytes !== undefined).toBe(clusters.hasRows);
    const rowOf = bytes && new Uint32Array(new Uint8Array(bytes).buffer);
    let start = 0;
    let codeBytes = 0;
    const members: bigint[][] = [];
    for (const end of clusters.leafEnds) {
      members.push(
        Array.from({ length: end - start }, (_, i) => idOfRow.get(rowOf?.[start + i] ?? start + i) as bigint),
      );
      codeBytes += listBytes(clusters.code.codec, clusters.metric, clusters.dims, end - start);
      start = end;
    }
    const codes = await lists.codes?.read();
    expect(codes?.length ?? 0).toBe(codeBytes);
    if (codes !== undefined) {
      const ranges = [codeRange(codes, 0.7, 0.9), codeRange(codes, 0, 0.1), codeRange(codes, 0.1, 0.2)];
      const parts = await lists.readCodes(ranges, 2);
      expect(parts.map((part) => [...part])).toEqual(ranges.map(({ start, end }) => [...codes.subarray(start, end)]));
    }
    if (bytes !== undefined) expect(await lists.readRows([{ start: 8, end: 24 }], 1)).toEqual([bytes.subarray(8, 24)]);
    out.set(column.name, members);
  }
  return out;
}

function codeRange({ length }: Uint8Array, from: number, to: number) {
  return { start: Math.floor(from * length), end: Math.floor(to * length) };
}

describe('lists of a segment', () => {
  test.each(['flat', 'int8', 'pq4'] as const)('hold every row that has the vector once, %s', async (codec) => {
    const block = blockOf(600);
    const schema = schemaOf(codec);
    const clustered = await clusterRows(block, schema, identity, options);
    const { bytes, footer } = await writeSegment(block, schema, identity, { ...clustered });
    const reader = await stored(bytes, footer);
    const lists = await listsOf(reader);
    expect([...lists.keys()]).toEqual(['v', 'w']);
    const present = (isMissing: (row: number) => boolean) =>
      Array.from({ length: 600 }, (_, i) => i)
        .filter((row) => !isMissing(row))
        .map(BigInt);
    const ascending = (ids: bigint[]) => ids.sort((a, b) => Number(a - b));
    expect(ascending((lists.get('v') ?? []).flat())).toEqual(present((row) => row % 7 === 3));
    expect(ascending((lists.get('w') ?? []).flat())).toEqual(present((row) => row % 5 === 1));
    expect((await reader.readBlock()).bytes).toEqual(block.bytes);
    expect(await clusterRows(block, schema, identity, { ...options, rowCountMin: 1_000 })).toBeUndefined();
  });

  test('of i8 are the rows themselves but where pq4 is asked for, and of further columns', async () => {
    const block = blockOf(600, 1, 0, 'i8');
    for (const [codec, expected] of [
      ['flat', ['flat', 'int8']],
      ['int8', ['flat', 'int8']],
      [undefined, ['flat', 'int8']],
      ['pq4', ['pq4', 'pq4']],
    ] as const) {
      const found = await clusterRows(block, schemaOf(codec, 'i8'), identity, options);
      expect([...(found?.lists.values() ?? [])].map(({ index }) => index.code.codec)).toEqual(expected);
    }
  });

  test('are the same for rows that come in pieces, dead ones among them', async () => {
    const block = blockOf(600);
    const schema = schemaOf('int8');
    async function* pieces() {
      for (const from of [0, 250]) {
        const to = from === 0 ? 250 : 600;
        const columns = [...block.columns.values()].map(({ name, type, column }) => {
          if (column.kind !== 'vector') throw new Error('vectors only');
          const values = new Float32Array((to - from + 1) * dims);
          values.set(column.values.subarray(from * dims, to * dims), dims); // behind a dead row
          const nulls = new Uint8Array(Math.ceil((to - from + 1) / 8));
          for (let row = from; row < to; row++) {
            const isNull = ((column.nulls?.[row >> 3] ?? 0) >> (row & 7)) & 1;
            const at = row - from + 1;
            nulls[at >> 3] = (nulls[at >> 3] as number) | (isNull << (at & 7));
          }
          return { name, type, column: { ...column, values, nulls } };
        });
        yield {
          ranks: Uint32Array.from({ length: to - from + 1 }, (_, i) => (i === 0 ? noRank : from + i - 1)),
          columns,
        };
      }
    }
    const scratch = createMemoryScratch(16 << 20);
    const found = await clusterPieces(pieces(), 600, schema, identity, { ...options, scratch });
    const plain = (rows: ClusteredRows | undefined) => rows && { order: rows.order, lists: [...rows.lists] };
    expect(plain(found)).toEqual(plain(await clusterRows(block, schema, identity, options)));
    expect(scratch.usedBytes).toBe(0);
  });

  test('are made anew by a merge, of live rows only, and say where rows went', async () => {
    const schema = schemaOf('pq4');
    const sources = [];
    const live = new Set<bigint>();
    for (const first of [0, 1]) {
      const block = blockOf(400, 2, first);
      const clustered = await clusterRows(block, schema, identity, options);
      const { bytes, footer } = await writeSegment(block, schema, identity, { ...clustered });
      const reader = await stored(bytes, footer);
      const dead = new Uint8Array(50);
      dead.fill(0xff, 0, 5);
      const { ids, rows } = await reader.readIdRows();
      for (let rank = 0; rank < ids.count; rank++)
        if ((rows?.[rank] ?? rank) >= 40) live.add(idAt(ids, rank) as bigint);
      sources.push({ rows: reader, dead });
    }
    const scratch = createMemoryScratch(32 << 20);
    const merged = await mergeSegments(sources, schema, identity, {
      scratch,
      windowBytesMax: 4_096,
      orderRows: (rows) => clusterPieces(rows.read(), rows.rowCount, schema, identity, { ...options, scratch }),
    });
    if (merged === undefined) throw new Error('rows are live');
    const reader = await stored(merged.file.read(0, merged.file.size), merged.footer);
    const lists = await listsOf(reader);
    expect([...lists.keys()]).toEqual(['v', 'w']);
    const members = (lists.get('v') ?? []).flat();
    expect(new Set(members).size).toBe(members.length);
    expect(members.every((id) => live.has(id))).toBe(true);
    const { ids, rows } = await reader.readIdRows();
    expect(new Set(Array.from({ length: ids.count }, (_, rank) => idAt(ids, rank)))).toEqual(live);
    const from = await sources[1]?.rows.readIdRows();
    for (let rank = 0; rank < ids.count; rank++) {
      const at =
        from === undefined
          ? -1
          : Array.from({ length: from.ids.count }).findIndex((_, i) => idAt(from.ids, i) === idAt(ids, rank));
      if (at >= 0) expect(merged.rows[1]?.[from?.rows?.[at] ?? at]).toBe(rows?.[rank] ?? rank);
    }
  });

  test('are opened by the read of the footer, clusters and all, and a flipped bit of them is corrupt', async () => {
    const schema = schemaOf('int8');
    const clustered = await clusterRows(blockOf(600), schema, identity, options);
    const { bytes, footer } = await writeSegment(blockOf(600), schema, identity, { ...clustered });
    const scratch = createMemoryScratch(32 << 20);
    const sources = [{ rows: await stored(bytes, footer), dead: undefined }];
    const merged = await mergeSegments(sources, schema, identity, {
      ...{ scratch, windowBytesMax: 1 << 20 },
      orderRows: async () => clustered,
    });
    expect(merged?.footer).toEqual(footer);
    const reads: number[] = [];
    const reader = await stored(bytes, footer, reads);
    const withoutLead = await stored(bytes, { offset: footer.offset, size: footer.size });
    const damaged = bytes.slice();
    for (const at of [footer.offset - 1, footer.offset - (footer.lead ?? 0)]) (damaged[at] as number) ^= 1;
    const other = await stored(damaged, footer);
    for (const name of ['v', 'w']) {
      const clustersOf = ({ footer: { columns }, lists }: SegmentReader) => {
        const column = columns.find((one) => one.name === name);
        return (column && lists(column))?.clusters;
      };
      const read = await clustersOf(reader)?.read();
      expect(reads).toEqual([footer.size + (footer.lead ?? 0)]);
      expect(read).toEqual(await clustersOf(withoutLead)?.read());
      await expect(clustersOf(other)?.read()).rejects.toMatchObject({ code: 'corrupt', context: { key: 'key' } });
    }
    const v = reader.footer.columns.find(({ name }) => name === 'v');
    expect(await (v && reader.lists(v))?.clusters.read()).toBeDefined(); // a second time it is read
    expect(reads).toHaveLength(2);
  });

  test('clusters whose bytes are other ones are corrupt or say the same', async () => {
    const clustered = await clusterRows(blockOf(130), schemaOf('int8'), identity, options);
    const { bytes, footer } = await writeSegment(blockOf(130), schemaOf('int8'), identity, { ...clustered });
    const reader = await stored(bytes, footer);
    const column = reader.footer.columns.find(({ name }) => name === 'v');
    const section = new Uint8Array((await (column && reader.lists(column))?.clusters.read()) ?? []);
    expect(section.length).toBeGreaterThan(100);
    for (let at = 0; at < section.length; at++) {
      for (const bit of [0, 6]) {
        const flipped = section.slice();
        flipped[at] = (flipped[at] as number) ^ (1 << bit);
        try {
          const { leafEnds, positionCount } = decodeClusters(flipped);
          expect(leafEnds.at(-1)).toBe(positionCount);
        } catch (error) {
          if (!isLagoonError(error, 'corrupt')) throw error;
        }
      }
      expect(() => decodeClusters(section.slice(0, at))).toThrow('clusters');
    }
  });

  test('the golden segment with lists is read as it was written', async () => {
    const bytes = new Uint8Array(await readFile(new URL('../golden/segment-lists.v1.bin', import.meta.url)));
    const reader = await openSegmentBytes('key', bytes);
    const lists = await listsOf(reader);
    expect([...lists].map(([name, leaves]) => [name, leaves.flat().length])).toEqual([
      ['v', 129],
      ['w', 120],
    ]);
    expect((await reader.readBlock()).bytes).toEqual(blockOf(150).bytes);
    const v = reader.footer.columns.find(({ name }) => name === 'v');
    const clusters = decodeClusters(new Uint8Array((await (v && reader.lists(v))?.clusters.read()) ?? []));
    expect(clusters).toMatchObject({ metric: 'euclidean_squared', dims, positionCount: 129, hasRows: false });
    expect(clusters.code.codec).toBe('pq4');
    expect(clusters.budgets.ks).toEqual([1, 10, 100, 1_000, 10_000]);
  });
});
