import { assert, type Clock, invalidArgument, LagoonError, type Log, type Metrics, type Random } from '@lagoon/base';
import { createBlockCache, type DiskCache } from '@lagoon/cache';
import {
  checkNamespaceName,
  createLineage,
  createNamespaceLog,
  type Lineage,
  listNamespaces,
  type NamespaceLog,
} from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import type { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import {
  createInlinePool,
  createQueryEngine,
  createWorkerPool,
  type QuerySpec,
  type SearchPool,
  searchScratchBytes,
} from '@lagoon/query';
import type { ServiceImplementation } from '@lagoon/rpc';
import { noTracer, type Tracer } from '@lagoon/telemetry';
import { type Arena, createArena } from '@lagoon/vector';
import { type QueryConfig, resolveQueryConfig } from './config.ts';
import { exportPage } from './export/export-page.ts';
import { withLeases } from './export/lease-log.ts';
import { measureRecall } from './measure-recall.ts';
import { metadataMessage } from './metadata-message.ts';
import { createQueryLimiter } from './query-limiter.ts';
import { readConsistency, readQueries, readQuery } from './read-query.ts';
import { queryResponse } from './write-result.ts';

export interface QueryDeps {
  readonly store: ObjectStore;
  /** Default: one on `store`. */
  readonly namespaceLog?: NamespaceLog;
  readonly lineage?: Lineage;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer?: Tracer;
  /** Its owner's: the role does not close it. */
  readonly diskCache?: DiskCache;
  /** Where the search threads' main module lies, in a bundle; default: the source in `libs/query`. */
  readonly searchWorkerUrl?: URL;
}

export interface QueryRole {
  readonly service: ServiceImplementation<typeof QueryNodeService>;
  /** Takes nothing more, lets running queries end, stops the search threads. */
  close(): Promise<void>;
}

const pageSizeDefault = 100;
const pageSizeMax = 1_000;

/** The role that answers queries: README of this package. */
export function createQueryRole(deps: QueryDeps, given: Partial<QueryConfig> = {}): QueryRole {
  const config = resolveQueryConfig(given);
  const { clock, store, metrics, tracer = noTracer } = deps;
  const arena = createArena({
    budgetBytes: config.arenaBytesMax,
    memoryBytesMax: config.arenaMemoryBytesMax,
    scratchBytes: Math.max(1, config.workerCount) * searchScratchBytes,
  });
  const lineage = deps.lineage ?? createLineage(deps);
  const engine = createQueryEngine(
    {
      ...deps,
      namespaceLog: withLeases(deps.namespaceLog ?? createNamespaceLog(deps), lineage),
      cache: createBlockCache({ arena, metrics }),
      pool: createPool(deps, config, arena),
    },
    {
      replicaCountMax: config.namespaceCountMax,
      generationWaitMsMax: config.generationWaitMsMax,
      pinnedBytesMax: Math.floor((config.arenaBytesMax * config.pinnedPercentMax) / 100),
    },
  );
  const limiter = createQueryLimiter(clock, config);
  const running = new Set<Promise<unknown>>();
  let isClosing = false;

  /** Refused while closing; `close` waits for it. */
  const accept = async <R>(work: () => Promise<R>): Promise<R> => {
    if (isClosing) throw new LagoonError('unavailable', 'the query node is stopping');
    const done = work();
    running.add(done);
    try {
      return await done;
    } finally {
      running.delete(done);
    }
  };

  const traced = async <R>(
    attributes: Parameters<Tracer['startSpan']>[1],
    traceparent: string | undefined,
    work: () => Promise<R>,
  ): Promise<R> => {
    const span = tracer.startSpan('query', attributes, traceparent);
    try {
      return await work();
    } catch (error) {
      span.recordError(error);
      throw error;
    } finally {
      span.end();
    }
  };

  const service: ServiceImplementation<typeof QueryNodeService> = {
    query: (request, { signal, traceparent }) =>
      accept(async () => {
        const { namespace } = request;
        checkNamespaceName(namespace);
        const spec = readQuery(request);
        const consistency = readConsistency(request.consistency);
        return await traced({ namespace }, traceparent, async () => {
          const ask = request.disableCache ? engine.queryPastCaches : engine.queryAll;
          const [result] = await limiter.run(namespace, () => ask(namespace, [spec], consistency, signal), signal);
          assert(result !== undefined, 'a query has a result');
          return queryResponse(result, spec);
        });
      }),
    multiQuery: ({ namespace, queries, consistency, fusion, disableCache }, { signal, traceparent }) =>
      accept(async () => {
        checkNamespaceName(namespace);
        if (fusion !== undefined) throw invalidArgument('a query node does not fuse: ask the gateway');
        const specs = readQueries(queries);
        return await traced({ namespace, queries: specs.length }, traceparent, async () => {
          const ask = disableCache ? engine.queryPastCaches : engine.queryAll;
          const answer = () => ask(namespace, specs, readConsistency(consistency), signal);
          const results = await limiter.run(namespace, answer, signal);
          return {
            results: results.map((result, i) => queryResponse(result, specs[i] as QuerySpec)),
            manifestGeneration: BigInt(results[0]?.generation ?? 0),
          };
        });
      }),
    measureRecall: (request, { signal }) =>
      accept(async () => {
        checkNamespaceName(request.namespace);
        return await limiter.run(request.namespace, () => measureRecall(engine, deps.random, request, signal), signal);
      }),
    getMetadata: ({ namespace }, { signal }) =>
      accept(async () => {
        checkNamespaceName(namespace);
        const { generation, live } = await engine.metadata(namespace, signal);
        return metadataMessage(generation, live);
      }),
    listNamespaces: ({ prefix, cursor, pageSize }, { signal }) =>
      accept(async () => {
        const size = Math.min(pageSize === 0 ? pageSizeDefault : pageSize, pageSizeMax);
        const options = { prefix, pageSize: size, ...(cursor === '' ? {} : { cursor }) };
        const page = await listNamespaces(store, options, signal);
        return { names: [...page.names], nextCursor: page.nextCursor ?? '' };
      }),
    export: (request, { signal }) =>
      accept(async () => {
        checkNamespaceName(request.namespace);
        const page = () => exportPage({ engine, lineage }, request, signal);
        return await limiter.run(request.namespace, page, signal);
      }),
    purge: ({ namespace }, { signal }) =>
      accept(async () => {
        checkNamespaceName(namespace);
        await engine.purge(namespace, signal);
        return {};
      }),
    warm: ({ namespace }) =>
      accept(async () => {
        checkNamespaceName(namespace);
        engine.warm(namespace);
        return {};
      }),
    notify: ({ namespace, generation }) =>
      accept(async () => {
        engine.notify(namespace, Number(generation));
        return {};
      }),
  };
  return {
    service,
    close: async () => {
      isClosing = true;
      await Promise.allSettled(running);
      await engine.close();
    },
  };
}

function createPool(deps: QueryDeps, config: QueryConfig, arena: Arena): SearchPool {
  const { textIndexBytesMax, workerCount, queueCountMax } = config;
  const { searchWorkerUrl } = deps;
  if (workerCount === 0) return createInlinePool(arena, { textIndexBytesMax });
  return createWorkerPool(
    { arena, log: deps.log },
    {
      textIndexBytesMax,
      workerCount,
      queueCountMax,
      ...(searchWorkerUrl === undefined ? {} : { workerUrl: searchWorkerUrl }),
    },
  );
}
