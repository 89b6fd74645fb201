import {
  type Clock,
  createRandomId,
  createSeededRandom,
  createSystemClock,
  type Log,
  type Metrics,
  noMetrics,
  sha256,
  silentLog,
} from '@lagoon/base';
import { type BlockCache, createBlockCache, type DiskCache } from '@lagoon/cache';
import {
  type AttributeValue,
  type Block,
  type DocumentId,
  encodeBlock,
  mergeBlocks,
  openBlock,
  type Schema,
} from '@lagoon/format';
import {
  applyIndexEdit,
  createManifestCommitter,
  createNamespaceLog,
  defaultSettings,
  type Manifest,
  type NamespaceLog,
  type NamespaceSettings,
  type NamespaceView,
  type SegmentReference,
} from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import {
  type ClusterOptions,
  clusterRows,
  planDeleteVectors,
  readDeleteVector,
  readSegmentRows,
  writeSegment,
} from '@lagoon/segment';
import { type Arena, createArena } from '@lagoon/vector';
import { createQueryEngine, type QueryEngine, type QueryEngineOptions } from './query-engine.ts';
import { searchScratchBytes } from './search-context.ts';
import { createInlinePool, type SearchPool } from './search-pool.ts';
import { mergeAll } from './testing-merge.ts';

/** Helpers of this package's own tests: a namespace on a memory store with a small writer and indexer, and an engine on it. */
export interface TestDocument {
  readonly id: DocumentId;
  /** By attribute; absent = missing. A vector is a list of numbers. */
  readonly values: Readonly<Record<string, AttributeValue | readonly number[]>>;
}

export interface TestNamespace {
  readonly store: ObjectStore;
  readonly log: NamespaceLog;
  readonly name: string;
  write(upserts: readonly TestDocument[], deletes?: readonly DocumentId[]): Promise<number>;
  /** Turns the tail into one segment. */
  index(): Promise<void>;
  /** Makes one segment of all. */
  merge(): Promise<void>;
  end(): Promise<void>;
  set(settings: Partial<NamespaceSettings>): Promise<void>;
}

/** The order of the rows of a segment with so many. */
type OrderOf = (rowCount: number) => Uint32Array;

/** Another permutation at each call, the same ones for a seed. */
export function randomOrders(seed: number): OrderOf {
  const random = createSeededRandom(seed);
  return (rowCount) => {
    const order = Uint32Array.from({ length: rowCount }, (_, row) => row);
    for (let row = rowCount - 1; row > 0; row--) {
      const other = random.integer(row + 1);
      [order[row], order[other]] = [order[other] as number, order[row] as number];
    }
    return order;
  };
}

export function encodeDocuments(
  schema: Schema,
  documents: readonly TestDocument[],
  deletes: readonly DocumentId[],
): Uint8Array {
  const names = [...schema.attributes.keys()].filter((name) =>
    documents.some(({ values }) => values[name] !== undefined),
  );
  return encodeBlock({
    idKind: schema.idKind,
    ids: documents.map(({ id }) => id),
    deletes,
    columns: names.map((name) => {
      const type = schema.attributes.get(name)?.type;
      if (type === undefined) throw new Error(`no attribute ${name}`);
      const present = documents.map(({ values }) => values[name] ?? null);
      if (type.kind !== 'vector') return { name, type, values: present as AttributeValue[] };
      const values = new Float32Array(documents.length * type.dims);
      const nulls = new Uint8Array(Math.ceil(documents.length / 8));
      for (const [row, vector] of present.entries()) {
        if (vector === null) nulls[row >> 3] = (nulls[row >> 3] as number) | (1 << (row & 7));
        else values.set(vector as readonly number[], row * type.dims);
      }
      return { name, type, values, nulls };
    }),
  });
}

export function createTestNamespace(
  schema: Schema,
  options: {
    readonly clock?: Clock;
    readonly name?: string;
    readonly seed?: number;
    readonly store?: ObjectStore;
    readonly flat?: boolean;
    readonly orderOf?: OrderOf;
    readonly indexedRowCountMin?: number;
    readonly cluster?: ClusterOptions;
  } = {},
): TestNamespace {
  const clock = options.clock ?? createSystemClock();
  const random = createSeededRandom(options.seed ?? 7);
  const store = options.store ?? createMemoryStore({ clock });
  const deps = { store, clock, random, log: silentLog, metrics: noMetrics };
  const log = createNamespaceLog(deps);
  const committer = createManifestCommitter(deps);
  const { name = 'docs' } = options;
  let view: NamespaceView | undefined;
  let tail: { readonly generation: number; readonly block: Block }[] = [];
  const current = async (): Promise<NamespaceView> => {
    view ??= (await log.open(name)).view;
    return view;
  };
  const commit = async (before: NamespaceView, edited: Manifest): Promise<void> => {
    const job = { job: createRandomId(random), startedAtMs: clock.wallMs() };
    const outcome = await committer.append(log, before, await committer.prepare(before, edited, job));
    if (outcome.outcome !== 'committed') throw new Error(outcome.outcome);
    view = outcome.view;
  };
  return {
    store,
    log,
    name,
    write: async (upserts, deletes = []) => {
      const part = encodeDocuments(schema, upserts, deletes);
      const batch = {
        parts: [part],
        upsertedRowCount: upserts.length,
        deletedRowCount: deletes.length,
        schema,
        idempotency: [],
      };
      const incarnation = createRandomId(random);
      const result = await log.append(await current(), (before) =>
        before.live === undefined
          ? { kind: 'birth', incarnation, family: incarnation, batch }
          : { kind: 'batch', ...batch },
      );
      view = result.view;
      tail.push({ generation: view.generation, block: openBlock(part) });
      return view.generation;
    },
    set: async (settings) => {
      const batch = { parts: [], upsertedRowCount: 0, deletedRowCount: 0, idempotency: [] };
      const result = await log.append(await current(), (before) => {
        return { kind: 'batch', ...batch, settings: { ...defaultSettings, ...before.live?.settings, ...settings } };
      });
      view = result.view;
    },
    index: async () => {
      const before = await current();
      const last = tail.at(-1);
      if (before.live === undefined || last === undefined) return;
      const { manifest } = before.live;
      const older = await Promise.all(
        manifest.segments.map(async (segment) => {
          const { bytes, rows } = await readSegmentRows(store, segment.object);
          const dead = await readDeleteVector(store, segment.deleteVector, segment.rowCount);
          return { segment, ids: openBlock(bytes).ids, rows, dead };
        }),
      );
      const blocks = tail.map(({ block }) => block);
      const plans = planDeleteVectors(older, blocks);
      const sources = blocks.map((block, i) => {
        const [plan] = planDeleteVectors([{ ids: block.ids, rows: undefined, dead: undefined }], blocks.slice(i + 1));
        const live = plan?.dead?.map((byte) => ~byte);
        if (live !== undefined && block.rowCount % 8 !== 0) {
          live[live.length - 1] = (live.at(-1) as number) & ((1 << (block.rowCount % 8)) - 1);
        }
        return { block, live };
      });
      const merged = mergeBlocks(sources, schema);
      const block = openBlock(merged);
      const { rowCount } = block;
      const added: SegmentReference[] = [];
      if (rowCount > 0) {
        const key = `data/${manifest.family}/${manifest.incarnation}/${createRandomId(random)}-0.seg`;
        const generations = { generationFirst: manifest.indexedThrough + 1, generationLast: last.generation };
        const { incarnation } = manifest;
        const order = options.orderOf?.(rowCount);
        const clustered =
          options.cluster === undefined
            ? {}
            : await clusterRows(block, schema, { incarnation: manifest.incarnation, ...generations }, options.cluster);
        const written =
          options.flat === true
            ? undefined
            : await writeSegment(
                block,
                schema,
                { incarnation, ...generations },
                {
                  indexedRowCountMin: options.indexedRowCountMin ?? 0,
                  ...(order === undefined ? clustered : { order }),
                },
              );
        const bytes = written?.bytes ?? merged;
        await store.create(key, bytes);
        added.push({
          object: { key, size: bytes.length, sha256: sha256(bytes) },
          ...(written === undefined ? {} : { footer: written.footer, attributeRanges: written.attributeRanges }),
          ...generations,
          rowCount,
          liveRowCount: rowCount,
          logicalBytes: 1,
          deleteVector: undefined,
        });
      }
      let killed = 0;
      const deleted = new Map(
        plans.flatMap((plan, i) => {
          const { segment } = older[i] as (typeof older)[number];
          const count = plan.supersededRowCount + plan.deletedRowCount;
          killed += count;
          if (!plan.changed || plan.dead === undefined) return [];
          const change = {
            deleteVector: { kind: 'inline' as const, bitmap: plan.dead },
            liveRowCount: segment.liveRowCount - count,
            logicalBytes: 1,
          };
          return [[segment.object.key, change] as const];
        }),
      );
      const edited = applyIndexEdit(manifest, {
        indexedThrough: last.generation,
        schema,
        settings: manifest.settings,
        segmentsAdded: added,
        deleted,
        rows: { added: rowCount, superseded: killed, deleted: 0 },
        lastWriteAtMs: 1,
      });
      await commit(before, edited);
      tail = [];
    },
    merge: async () => {
      const before = await current();
      if (before.live === undefined || before.live.manifest.segments.length < 2) return;
      await commit(before, await mergeAll({ store, random }, before.live.manifest, schema, options.orderOf));
    },
    end: async () => {
      view = (await log.append(await current(), () => ({ kind: 'truncate' }))).view;
      tail = [];
    },
  };
}

export interface TestEngine {
  readonly engine: QueryEngine;
  readonly arena: Arena;
  readonly pool: SearchPool;
  readonly cache: BlockCache;
}

export function createTestEngine(
  namespace: Pick<TestNamespace, 'store'>,
  options: QueryEngineOptions & {
    readonly clock?: Clock;
    readonly budgetBytes?: number;
    readonly store?: ObjectStore;
    readonly diskCache?: DiskCache;
    readonly log?: Log;
    readonly metrics?: Metrics;
    readonly makePool?: (arena: Arena) => SearchPool;
  } = {},
): TestEngine {
  const clock = options.clock ?? createSystemClock();
  const store = options.store ?? namespace.store;
  const base = {
    store,
    clock,
    random: createSeededRandom(11),
    log: options.log ?? silentLog,
    metrics: options.metrics ?? noMetrics,
  };
  const arena = createArena({
    budgetBytes: options.budgetBytes ?? 64 << 20,
    memoryBytesMax: 64 << 20,
    scratchBytes: 4 * searchScratchBytes,
  });
  const pool = options.makePool?.(arena) ?? createInlinePool(arena, { textIndexBytesMax: 64 << 20 });
  const cache = createBlockCache({ arena });
  const { diskCache } = options;
  const caches = { cache, ...(diskCache === undefined ? {} : { diskCache }) };
  const engine = createQueryEngine({ ...base, namespaceLog: createNamespaceLog(base), ...caches, pool }, options);
  return { engine, arena, pool, cache };
}
