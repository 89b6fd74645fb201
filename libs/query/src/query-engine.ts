import {
  assert,
  atPlace,
  type Clock,
  corrupt,
  createSemaphore,
  deadlineSignal,
  inPlace,
  isLagoonError,
  LagoonError,
  type Log,
  type Metrics,
  noMetrics,
  type Random,
  settleAll,
  toLagoonError,
} from '@lagoon/base';
import type { BlockCache, DiskCache } from '@lagoon/cache';
import type { LiveNamespace, NamespaceLog, NamespaceView } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import { computeFound } from './compute-found.ts';
import { createDocumentCache } from './document-cache.ts';
import { createEngineMeter } from './engine-meter.ts';
import { createHeadSearch } from './head-search.ts';
import type { SearchOutcome } from './job-block.ts';
import { type Search, searchPer } from './limit-per.ts';
import { createNamespacePins, isPinned } from './namespace-pins.ts';
import { createPiecePrefetch } from './piece-prefetch.ts';
import { planQuery } from './plan.ts';
import { planSteps } from './plan-steps.ts';
import { prepareSearch } from './prepare-search.ts';
import { createPrivateCache } from './private-cache.ts';
import { allNeeds, hasTokens, noNeeds } from './query-needs.ts';
import type { QueryPlan } from './query-plan.ts';
import type { QueryResult, QueryStatistics } from './query-result.ts';
import type { ConsistencySpec, QuerySpec } from './query-spec.ts';
import { readRows } from './read-rows.ts';
import { createReplica, type HeldSnapshot, namespaceNotFound, type Replica } from './replica.ts';
import type { ReadUsage } from './replica-content.ts';
import { createReplicaSet } from './replica-set.ts';
import { annAttributeOf, sampleVectors } from './sample-vectors.ts';
import { searchByPieces } from './search-by-pieces.ts';
import type { SearchPool } from './search-pool.ts';
import type { Snapshot } from './snapshot.ts';

/** Queries on any number of namespaces of one store. Holds nothing but caches. */
export interface QueryEngine {
  /**
   * Answers a query at one generation. `not_found` where no namespace lives, `invalid_argument` for a query that does not fit
   * the schema, `unavailable` where a wanted generation does not come, `resource_exhausted` past the bounds.
   */
  query(name: string, spec: QuerySpec, consistency: ConsistencySpec, signal?: AbortSignal): Promise<QueryResult>;
  /**
   * Several queries at one generation, answered in their order; fails as a whole. Of the statistics what was read from the store
   * is told once, with the first result.
   */
  queryAll(
    name: string,
    specs: readonly QuerySpec[],
    consistency: ConsistencySpec,
    signal?: AbortSignal,
  ): Promise<readonly QueryResult[]>;
  /**
   * As `queryAll`, past every cache: what it needs is read from the store, and nothing of it is kept. For measurements. It takes room in the
   * arena while it runs.
   */
  queryPastCaches(
    name: string,
    specs: readonly QuerySpec[],
    consistency: ConsistencySpec,
    signal?: AbortSignal,
  ): Promise<readonly QueryResult[]>;
  /** Vectors of live rows of the first attribute that is searched by ANN, drawn at random: for measurements of recall. */
  sampleVectors(name: string, count: number, random: Random, signal?: AbortSignal): Promise<SampledVectors>;
  /** The namespace as of a probe sent after this call; `not_found`. */
  metadata(name: string, signal?: AbortSignal): Promise<LiveView>;
  /**
   * Forgets what memory and disk hold of a namespace's segments, so that the next query finds it cold: for measurements. What
   * running queries use stays until they end.
   */
  purge(name: string, signal?: AbortSignal): Promise<void>;
  /** Begins to bring a namespace into memory. */
  warm(name: string): void;
  /** A hint that a generation exists: read ahead where the namespace was queried lately. */
  notify(name: string, generation: number): void;
  close(): Promise<void>;
}

export interface SampledVectors {
  readonly attribute: string;
  /** Fewer than asked for where few rows have one. */
  readonly vectors: readonly Float32Array[];
}

/** The view of a namespace that lives. */
export type LiveView = NamespaceView & { readonly live: LiveNamespace };

export interface QueryEngineDeps {
  readonly store: ObjectStore;
  readonly namespaceLog: NamespaceLog;
  readonly cache: BlockCache;
  /** Absent: segments are read from the store whenever they are not in memory. */
  readonly diskCache?: DiskCache;
  readonly pool: SearchPool;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface QueryEngineOptions {
  /** Namespaces in memory at most. */
  readonly replicaCountMax?: number;
  readonly readTimeoutMs?: number;
  readonly loadTimeoutMs?: number;
  readonly generationWaitMsMax?: number;
  /** How long after its last query a namespace is read ahead on notices. */
  readonly readAheadMs?: number;
  /** Bytes of pinned namespaces that are not put out of memory for others; default: none. */
  readonly pinnedBytesMax?: number;
  /** Within this time a second search by pieces brings into memory what it needs; 0: none does. */
  readonly prefetchWithinMs?: number;
  /** Segments that lack no more for an ANN query are loaded whole for it; of others pieces are read, where these are fewer bytes. */
  readonly wholeBytesMax?: number;
  /** Decompressed documents that are kept, in bytes of the heap. */
  readonly documentBytesMax?: number;
}

/** For work that nobody waits for. */
const recent: ConsistencySpec = { level: 'eventual', stalenessMsMax: 60_000, generationMin: 0 };

/** Snapshots that a query tries when objects of older ones are gone. */
const attemptCountMax = 3;
const backgroundCountMax = 4;
const backgroundWaitingCountMax = 256;

export function createQueryEngine(deps: QueryEngineDeps, options: QueryEngineOptions = {}): QueryEngine {
  let lastId = 0;
  return createEngine(deps, options, () => ++lastId);
}

/** `nextId` numbers blocks and snapshots for the pool, whichever engine they are of. */
function createEngine(deps: QueryEngineDeps, options: QueryEngineOptions, nextId: () => number): QueryEngine {
  const { clock, log, pool } = deps;
  const { replicaCountMax = 1024, readAheadMs = 10_000 } = options;
  const replicaOptions = {
    readTimeoutMs: options.readTimeoutMs ?? 30_000,
    loadTimeoutMs: options.loadTimeoutMs ?? 120_000,
    generationWaitMsMax: options.generationWaitMsMax ?? 10_000,
  };
  const documents = createDocumentCache(options.documentBytesMax ?? 64 << 20);
  const meter = createEngineMeter(deps.metrics);
  const closing = new AbortController();
  const background = createSemaphore({
    name: 'background reads',
    permitCount: backgroundCountMax,
    waitingCountMax: backgroundWaitingCountMax,
  });
  const running = new Set<Promise<void>>();
  const lastQueriedMs = new WeakMap<Replica, number>();
  const headSearch = createHeadSearch(clock);
  const replicaDeps = {
    ...deps,
    byColumn: true,
    nextId,
    onBlockGone: (blockId: number) => pool.forgetBlock(blockId),
    onSnapshotGone: (snapshotId: number) => pool.forgetSnapshot(snapshotId),
  };
  const pins = createNamespacePins(deps, {
    bytesMax: options.pinnedBytesMax ?? 0,
    countMax: Math.floor(replicaCountMax / 2),
  });
  const replicas = createReplicaSet(
    (name) => createReplica(name, replicaDeps, replicaOptions),
    replicaCountMax,
    pins.kept,
  );

  /** Other namespaces make room where everything is pinned. */
  const withRoom = async <R>(load: () => Promise<R>): Promise<R> => {
    for (;;) {
      try {
        return await load();
      } catch (error) {
        if (!isLagoonError(error, 'resource_exhausted') || !replicas.evictOne()) throw error;
      }
    }
  };

  const pieceDeps = {
    ...{ pool, cache: deps.cache, nextId, withRoom },
    wholeBytesMax: options.wholeBytesMax ?? 1 << 20,
  };

  const takeSnapshot = (replica: Replica, signal?: AbortSignal): Promise<HeldSnapshot> =>
    withRoom(() => replica.snapshot(signal));

  const search = async (
    replica: Replica,
    held: HeldSnapshot,
    plan: QueryPlan,
    signal?: AbortSignal,
  ): Promise<
    Omit<QueryResult, 'statistics'> & {
      readonly outcome: SearchOutcome;
      readonly rowCount: number;
    }
  > => {
    const { snapshot } = held;
    const { limit, limitPer, filter } = plan;
    const affinity = usesTextIndexes(plan) ? replica.name : undefined;
    const run: Search = async (rowCount, rowFilter) => {
      const wanted = { ...plan, limit: rowCount, filter: rowFilter };
      const byPieces = await searchByPieces(pieceDeps, held, wanted, affinity, signal);
      if (byPieces !== undefined) {
        prefetch.searched(replica, held, plan);
        return byPieces;
      }
      const { indexed, known, prunedSegmentCount, hold } = await prepareSearch(
        held,
        { ...plan, filter: rowFilter },
        withRoom,
        signal,
      );
      const request = {
        rank: plan.rank,
        filter: rowFilter,
        indexed,
        known,
        limit: rowCount,
        traced: plan.traced,
        blocks: snapshot.locations,
        snapshotId: snapshot.snapshotId,
        affinity,
      };
      return { ...(await pool.run(request, hold, signal)), known, prunedSegmentCount };
    };
    const outcome =
      limitPer === undefined ? await run(limit, filter) : await searchPer(run, snapshot, limitPer, limit, filter);
    const values = await computeFound({ pool, withRoom }, held, plan, outcome.top, affinity, signal);
    return {
      idKind: snapshot.schema.idKind,
      rows: await readRows(snapshot, plan, { ...outcome, values }, documents, signal),
      generation: snapshot.generation,
      ...groupsOf(plan, outcome),
      ...(plan.traced ? { steps: planSteps(snapshot, plan, outcome) } : {}),
      outcome,
      rowCount: snapshot.liveRowCount,
    };
  };

  const attemptQueries = async (
    replica: Replica,
    specs: readonly QuerySpec[],
    consistency: ConsistencySpec,
    signal?: AbortSignal,
  ): Promise<readonly QueryResult[]> => {
    const startedMs = clock.monotonicMs();
    lastQueriedMs.set(replica, startedMs);
    const before = { ...replica.usage };
    const searchOn = async (held: HeldSnapshot, ending?: AbortSignal) =>
      settleAll(
        planAll(held.snapshot, specs).map(async (plan, i) => {
          const found = await placed(specs[i]?.place, search(replica, held, plan, ending));
          return { found, kind: plan.rank.kind, endedMs: clock.monotonicMs() };
        }),
      );
    const take = () => takeSnapshot(replica, signal);
    const { result: searched, reachedMs } = await headSearch.run(
      { replica, consistency, take, search: searchOn },
      signal,
    );
    keepPinned(replica.name, replica.live);
    const usage = usageSince(before, replica.usage);
    return searched.map(({ found: { outcome, rowCount, ...result }, kind, endedMs }, i): QueryResult => {
      const executionMs = Math.max(endedMs, reachedMs) - startedMs;
      meter.queried(kind, executionMs);
      const statistics = toStatistics(outcome, rowCount, executionMs, i === 0 ? usage : noUsage);
      return { ...result, statistics };
    });
  };

  /** Work that nobody waits for: bounded, ends with the engine, failures are logged. */
  const inBackground = (name: string, work: (signal: AbortSignal) => Promise<void>): Promise<void> => {
    const run = async (): Promise<void> => {
      try {
        using _permit = await background.acquire(closing.signal);
        using deadline = deadlineSignal(clock, replicaOptions.loadTimeoutMs, closing.signal);
        await work(deadline.signal);
      } catch (error) {
        if (closing.signal.aborted || isLagoonError(error, 'not_found')) return;
        log.warn('reading ahead failed', { namespace: name, error: toLagoonError(error).message });
      }
    };
    const done = run().finally(() => running.delete(done));
    running.add(done);
    return done;
  };
  const bringUp = async (
    name: string,
    consistency: ConsistencySpec,
    load: (held: HeldSnapshot, signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> => {
    using used = replicas.use(name);
    await used.replica.reach(consistency, signal);
    using held = await takeSnapshot(used.replica, signal);
    await withRoom(() => load(held, signal));
  };
  const loadAll = (held: HeldSnapshot, signal: AbortSignal): Promise<void> =>
    held.ensure(allNeeds(held.snapshot.schema), undefined, signal);
  const prefetch = createPiecePrefetch(
    {
      ...{ clock, cache: deps.cache },
      bringUp: (name, load) => void inBackground(name, (signal) => bringUp(name, recent, load, signal)),
    },
    options.prefetchWithinMs ?? 60_000,
  );

  const loadingPins = new Set<string>();
  /** A pinned namespace is loaded whole beside the queries. */
  const keepPinned = (name: string, live: LiveNamespace | undefined): void => {
    if (loadingPins.has(name) || !pins.isDue(name, live, replicas.peek(name), () => replicas.newestFirst)) return;
    loadingPins.add(name);
    let isLoaded = false;
    void inBackground(name, async (signal) => {
      await bringUp(name, recent, loadAll, signal);
      isLoaded = true;
    }).then(() => {
      loadingPins.delete(name);
      pins.loaded(replicas.peek(name), isLoaded, replicas.newestFirst);
    });
  };

  /** Through the replica where there is one, so that it learns what was read; without making one. */
  const readView = async (name: string, signal?: AbortSignal): Promise<NamespaceView> => {
    if (replicas.peek(name) === undefined) return (await deps.namespaceLog.open(name, {}, signal)).view;
    using used = replicas.use(name);
    return await used.replica.reach({ level: 'strong', stalenessMsMax: 0, generationMin: 0 }, signal);
  };

  const queryAll: QueryEngine['queryAll'] = async (name, specs, consistency, signal) => {
    let wanted = consistency;
    for (let attempt = 1; ; attempt++) {
      closing.signal.throwIfAborted();
      using used = replicas.use(name);
      const { replica } = used;
      try {
        return await attemptQueries(replica, specs, wanted, signal);
      } catch (error) {
        const isGone = isLagoonError(error, 'not_found') && error.reason === 'gone';
        // Another query found that, and its dropping the replica was what this one saw.
        const wasDropped = replica.isDisposed && isLagoonError(error, 'unavailable');
        if (!isGone && !wasDropped) throw error;
        if (attempt >= attemptCountMax) throw isGone ? missingObject(name, error) : error;
        wanted = { ...consistency, level: 'strong' };
        if (!isGone) continue;
        meter.restarted();
        log.warn('object of a snapshot is gone, starting over', { namespace: name, ...error.context });
        replicas.drop(name, replica);
      }
    }
  };

  /** An engine that lives for these queries alone, with a part of the cache of its own. */
  const queryPastCaches: QueryEngine['queryPastCaches'] = async (name, specs, consistency, signal) => {
    const { diskCache: _passedBy, ...rest } = deps;
    using cache = createPrivateCache(deps.cache, `past caches ${nextId()}`);
    const ownPool: SearchPool = { ...pool, close: async () => {} };
    const startedMs = clock.monotonicMs();
    const results = await withRoom(async () => {
      const engine = createEngine(
        { ...rest, cache, pool: ownPool, metrics: noMetrics },
        { ...options, pinnedBytesMax: 0, prefetchWithinMs: 0 },
        nextId,
      );
      try {
        return await engine.queryAll(name, specs, consistency, signal);
      } finally {
        await engine.close();
      }
    });
    for (const { rankBy } of specs) meter.queried(rankBy.kind, clock.monotonicMs() - startedMs);
    return results;
  };

  return {
    queryPastCaches,
    query: async (name, spec, consistency, signal) => {
      const [result] = await queryAll(name, [spec], consistency, signal);
      assert(result !== undefined, 'a query has a result');
      return result;
    },
    queryAll,
    sampleVectors: async (name, count, random, signal) => {
      using used = replicas.use(name);
      await used.replica.reach({ level: 'strong', stalenessMsMax: 0, generationMin: 0 }, signal);
      using held = await takeSnapshot(used.replica, signal);
      const attribute = annAttributeOf(held.snapshot.schema);
      await withRoom(() => held.ensure({ ...noNeeds, ids: 'live', columns: new Set([attribute]) }, undefined, signal));
      return { attribute, vectors: sampleVectors(held.snapshot, attribute, count, random) };
    },
    metadata: async (name, signal) => {
      const view = await readView(name, signal);
      if (view.live === undefined) throw namespaceNotFound(name);
      keepPinned(name, view.live);
      return { ...view, live: view.live };
    },
    purge: async (name, signal) => {
      const { live } = (await deps.namespaceLog.open(name, {}, signal)).view;
      if (live === undefined) throw namespaceNotFound(name);
      const replica = replicas.peek(name);
      if (replica !== undefined) replicas.drop(name, replica);
      const objects = new Set(live.manifest.segments.map(({ object }) => object.key));
      deps.cache.purge((key) => objects.has(key.split('#', 1)[0] ?? key));
      documents.purge((key) => objects.has(key.split('#', 1)[0] ?? key));
      await deps.diskCache?.purge((key) => objects.has(key));
    },
    warm: (name) => {
      void inBackground(name, (signal) => bringUp(name, recent, loadAll, signal));
    },
    notify: (name, generation) => {
      const replica = replicas.peek(name);
      if (replica === undefined || replica.generation >= generation) return;
      const queriedMs = lastQueriedMs.get(replica) ?? Number.NEGATIVE_INFINITY;
      if (clock.monotonicMs() - queriedMs > readAheadMs && !isPinned(replica.live)) return;
      void inBackground(name, async (signal) => {
        if (replica.generation >= generation) return;
        await bringUp(name, { level: 'strong', stalenessMsMax: 0, generationMin: 0 }, async () => {}, signal);
        keepPinned(name, replica.live);
      });
    },
    close: async () => {
      closing.abort(new LagoonError('unavailable', 'query engine is closing'));
      await Promise.allSettled(running);
      await pool.close();
      replicas.dispose();
    },
  };
}

/** What is wrong with one of several says with which. */
function planAll({ schema, recall }: Snapshot, specs: readonly QuerySpec[]): readonly QueryPlan[] {
  return specs.map((spec) => inPlace(spec.place ?? '', () => planQuery(schema, spec, recall)));
}

function groupsOf({ rank }: QueryPlan, { groups }: SearchOutcome): Pick<QueryResult, 'groups' | 'groupTypes'> {
  if (groups === undefined || rank.kind !== 'aggregate') return {};
  return { groups, groupTypes: rank.groupBy.map(({ type }) => type.scalar) };
}

/** Text indexes of a namespace's tail are kept by one thread. */
function usesTextIndexes({ rank, filter, values }: QueryPlan): boolean {
  const computesScores = values.some(({ of }) => of.kind !== 'vector');
  return (
    rank.kind === 'text' || rank.kind === 'sparse' || (filter !== undefined && hasTokens(filter)) || computesScores
  );
}

/** What the newest snapshot names is gone time and again: that is damage, not a race. */
function missingObject(namespace: string, cause: LagoonError): LagoonError {
  const { key } = cause.context;
  return corrupt('object that the namespace names is missing', { namespace, key: key ?? '' });
}

const noUsage: ReadUsage = { storeRequestCount: 0, storeBytes: 0, cacheHitCount: 0, cacheMissCount: 0 };

function usageSince(before: ReadUsage, after: ReadUsage): ReadUsage {
  return {
    storeRequestCount: after.storeRequestCount - before.storeRequestCount,
    storeBytes: after.storeBytes - before.storeBytes,
    cacheHitCount: after.cacheHitCount - before.cacheHitCount,
    cacheMissCount: after.cacheMissCount - before.cacheMissCount,
  };
}

function toStatistics(
  outcome: SearchOutcome,
  rowCount: number,
  executionMs: number,
  usage: ReadUsage,
): QueryStatistics {
  const { scoredRowCount, prunedSegmentCount = 0 } = outcome;
  const { exhaustiveRowCount = scoredRowCount, isExact = true } = outcome;
  return { exact: isExact, scoredRowCount, exhaustiveRowCount, rowCount, prunedSegmentCount, executionMs, ...usage };
}

/** What is wrong with a query says where it stands in the request. */
async function placed<R>(place: string | undefined, searched: Promise<R>): Promise<R> {
  try {
    return await searched;
  } catch (error) {
    throw isLagoonError(error, 'invalid_argument') ? atPlace(place ?? '', error) : error;
  }
}
