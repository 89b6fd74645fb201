import { type AttributeSchema, encodeBlock, type ListCodec, openBlock, type Schema } from '@lagoon/format';
import type { ObjectStore } from '@lagoon/object-store';
import type { Filter } from '@lagoon/query';
import { buildIvf, createThreadExecutor, type IvfIndex, loadKernelModule } from '@lagoon/vector';
import { openOneSegment } from './one-segment-engine.ts';
import type { Vectors } from './vectors.ts';

export interface VectorEngineOptions {
  /** Absent: what the engine takes by itself. */
  readonly codec?: ListCodec;
  /** Filterable integers, one per row. */
  readonly attributes?: ReadonlyMap<string, Uint32Array>;
  /** Where the segment is written to, and what the engine reads it through. */
  readonly store?: ObjectStore;
  readonly through?: (store: ObjectStore) => ObjectStore;
}

export interface VectorSearch {
  readonly k: number;
  /** 'exact': by all vectors. */
  readonly recall: number | 'exact';
  readonly filter?: Filter;
}

export interface VectorAnswer {
  /** Nearest first. */
  readonly rows: number[];
  readonly ms: number;
  /** Rows whose codes or vectors were compared. */
  readonly scoredRowCount: number;
}

/** Vectors under cosine in one segment with lists, searched in the engine (plan, search, ids) on the calling thread. */
export interface VectorEngine {
  readonly index: IvfIndex;
  /** Of the lists, by two threads. */
  readonly buildSeconds: number;
  /** Of the segment around them, by one. */
  readonly writeSeconds: number;
  search(query: Float32Array, search: VectorSearch): Promise<VectorAnswer>;
  /** The next search finds nothing in memory. */
  purge(): Promise<void>;
  close(): Promise<void>;
}

const consistency = { level: 'eventual', stalenessMsMax: 3_600_000, generationMin: 0 } as const;
const buildThreadCount = 2;

export async function openVectorEngine(rows: Vectors, options: VectorEngineOptions = {}): Promise<VectorEngine> {
  const { rowCount, dims, values } = rows;
  const { codec, attributes = new Map<string, Uint32Array>(), store, through } = options;
  const type = { kind: 'vector', element: 'f32', dims } as const;
  const integer = { kind: 'scalar', scalar: 'int' } as const;
  const ann = { distanceMetric: 'cosine_distance' as const, ...(codec === undefined ? {} : { codec }) };
  const schema: Schema = {
    idKind: 'u64',
    attributes: new Map<string, AttributeSchema>([
      ['vector', { type, filterable: false, ann }],
      ...[...attributes.keys()].map((name) => [name, { type: integer, filterable: true }] as const),
    ]),
  };
  const ids = Array.from({ length: rowCount }, (_, row) => BigInt(row));
  const columns = [
    { name: 'vector', type, values },
    ...[...attributes].map(([name, numbers]) => ({ name, type: integer, values: Array.from(numbers, BigInt) })),
  ];
  const block = openBlock(encodeBlock({ idKind: 'u64', ids, deletes: [], columns }), { verify: false });
  let built: { readonly index: IvfIndex; readonly seconds: number } | undefined;
  const { engine, buildMs } = await openOneSegment(block, schema, {
    arenaBytes: (256 << 20) + 2 * values.byteLength,
    textIndexBytesMax: 1 << 20,
    ...(store === undefined ? {} : { store }),
    ...(through === undefined ? {} : { through }),
    cluster: {
      rowCountMin: 1,
      build: async (source, asked) => {
        const module = loadKernelModule();
        const executor = createThreadExecutor(module, buildThreadCount);
        const startedAt = performance.now();
        const index = await buildIvf(source, asked, module, executor);
        built = { index, seconds: (performance.now() - startedAt) / 1_000 };
        await executor.close();
        return index;
      },
    },
  });
  if (built === undefined) throw new Error('the segment has no lists');
  return {
    index: built.index,
    buildSeconds: built.seconds,
    writeSeconds: buildMs / 1_000,
    search: async (query, { k, recall, filter }) => {
      const ranked = recall === 'exact' ? { exact: true } : { exact: false, recall };
      const rankBy = { kind: 'vector', attribute: 'vector', query, ...ranked } as const;
      const filtered = filter === undefined ? {} : { filter };
      const spec = { rankBy, ...filtered, limit: k, projection: { kind: 'none' } } as const;
      const from = performance.now();
      const found = await engine.query('bench', spec, consistency);
      const ms = performance.now() - from;
      return { rows: found.rows.map(({ id }) => Number(id)), ms, scoredRowCount: found.statistics.scoredRowCount };
    },
    purge: () => engine.purge('bench'),
    close: () => engine.close(),
  };
}
