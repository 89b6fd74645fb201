import {
  backoffMs,
  type Clock,
  deadlineSignal,
  type Log,
  type Metrics,
  type Random,
  type Timer,
  toLagoonError,
} from '@lagoon/base';
import {
  createJobLeases,
  createManifestCommitter,
  createNamespaceLog,
  type DirtyMarker,
  dirtyKey,
  type ManifestCommitter,
  type NamespaceLog,
  type NamespaceView,
} from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import type { CompactorService } from '@lagoon/proto/lagoon/v1/compactor_pb.js';
import type { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import type { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import type { ServiceClient, ServiceImplementation } from '@lagoon/rpc';
import { noTracer, type Tracer } from '@lagoon/telemetry';
import { createBacklog, type TailWeight } from './backlog.ts';
import { type BuildPool, createInlineBuildPool } from './build-pool.ts';
import { createCompactorMetrics } from './compactor-metrics.ts';
import { type CompactorConfig, resolveCompactorConfig } from './config.ts';
import { type GcConfig, resolveGcConfig } from './gc/gc-config.ts';
import { createGcJob } from './gc/gc-job.ts';
import { type IndexJobResult, runIndexJob } from './index-job.ts';
import { createMarkerClearing } from './marker-clearing.ts';
import { createMarkerSweep } from './marker-sweep.ts';
import { createMergeRunner } from './merge-runner.ts';
import { createNamespaceTurns } from './namespace-turns.ts';
import { createPartSightings } from './part-sightings.ts';
import { createSegmentMemory } from './segment-memory.ts';

export interface CompactorDeps {
  readonly store: ObjectStore;
  /** Default: one on `store`. */
  readonly namespaceLog?: NamespaceLog;
  readonly committer?: ManifestCommitter;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer?: Tracer;
  /** Closed with the role. Default: everything on this thread, with scratch space in memory. */
  readonly buildPool?: BuildPool;
  ingester(namespace: string): ServiceClient<typeof IngesterService> | undefined;
  /** Those beside the namespace's own; default: none. */
  otherIngesters?(namespace: string): readonly ServiceClient<typeof IngesterService>[];
  queryNodes(): readonly ServiceClient<typeof QueryNodeService>[];
}

export interface CompactorRole {
  readonly service: ServiceImplementation<typeof CompactorService>;
  /** Begins to work; before that, notices only gather. */
  start(): void;
  /** Takes no new job, gives the running ones a while, then abandons them. */
  close(): Promise<void>;
  /** Resolves when nothing that is due is left to do. */
  settled(): Promise<void>;
}

/** The role that turns tails into segments: README of this package. */
export function createCompactorRole(
  deps: CompactorDeps,
  given: Partial<CompactorConfig> = {},
  givenGc: Partial<GcConfig> = {},
): CompactorRole {
  const config = resolveCompactorConfig(given);
  const { clock } = deps;
  const metrics = createCompactorMetrics(deps.metrics);
  const backlog = createBacklog(config);
  const namespaceLog = deps.namespaceLog ?? createNamespaceLog(deps);
  const gcConfig = resolveGcConfig(givenGc);
  const gc = createGcJob({ ...deps, namespaceLog, goesOn: true }, gcConfig);
  const jobDeps = {
    ...deps,
    namespaceLog,
    committer: deps.committer ?? createManifestCommitter(deps, { obsoleteKeepMs: obsoleteKeepMsOf(gcConfig) }),
    memory: createSegmentMemory(deps.store, config.idCacheBytesMax),
    sightings: createPartSightings(clock, config.idempotencyKeepMs),
    leases: createJobLeases(deps),
    pool: deps.buildPool ?? createInlineBuildPool(clock, config),
    turns: createNamespaceTurns(),
    ingester: (namespace: string) => deps.ingester(namespace),
    otherIngesters: (namespace: string) => deps.otherIngesters?.(namespace) ?? [],
  };
  const nowMs = () => clock.monotonicMs();
  const sweep = createMarkerSweep({ store: deps.store, namespaceLog, backlog }, config.sweepPageCountMax, nowMs);
  const abandon = new AbortController();
  const running = new Set<Promise<void>>();
  let isStarted = false;
  let isClosing = false;
  let wakeTimer: Timer | undefined;
  let sweepTimer: Timer | undefined;

  const track = (work: Promise<void>): void => {
    const tracked: Promise<void> = work.finally(() => {
      running.delete(tracked);
      pump();
    });
    running.add(tracked);
  };

  const clearing = createMarkerClearing(deps, config.markerClearDelayMs, track);
  let jobCount = 0;

  const announce = async (namespace: string, generation: number, view: NamespaceView): Promise<void> => {
    await namespaceLog.writeHint(view, abandon.signal);
    await notifyQueryNodes(namespace, generation);
  };
  const merges = createMergeRunner({ ...jobDeps, metrics, track, announce }, config);

  /** Starts what is due as far as there is room, and sees to being woken for the rest. */
  const pump = (): void => {
    if (!isStarted || isClosing) return;
    while (jobCount < config.jobConcurrencyMax) {
      const namespace = backlog.take(nowMs());
      if (namespace === undefined) break;
      jobCount++;
      track(
        indexOne(namespace).finally(() => {
          jobCount--;
        }),
      );
    }
    observe();
    wakeTimer?.cancel();
    wakeTimer = undefined;
    const dueMs = jobCount < config.jobConcurrencyMax ? backlog.nextDueMs() : undefined;
    if (dueMs !== undefined) wakeTimer = clock.setTimer(Math.max(1, dueMs - nowMs()), pump);
  };

  const indexOne = async (namespace: string): Promise<void> => {
    const startMs = nowMs();
    const markers = backlog.markersOf(namespace);
    const span = (deps.tracer ?? noTracer).startSpan('compactor.index', { namespace });
    try {
      const isDue = (tail: TailWeight) => backlog.isDue(namespace, tail, nowMs());
      const result = await indexInTurn(namespace, isDue);
      span.setAttribute('outcome', result.kind);
      metrics.jobs.add(1, { outcome: result.kind });
      if (result.kind === 'committed') metrics.jobSeconds.observe((nowMs() - startMs) / 1000);
      await settle(namespace, markers, result);
    } catch (error) {
      const failure = toLagoonError(error);
      span.recordError(failure);
      metrics.jobs.add(1, { outcome: 'failed' });
      deps.log.warn('index job failed', { namespace, error: failure });
      backlog.postpone(namespace, retryDelayMs(namespace), nowMs());
    } finally {
      span.end();
    }
  };

  const indexInTurn = async (namespace: string, isDue: (tail: TailWeight) => boolean): Promise<IndexJobResult> => {
    using _turn = await jobDeps.turns.take(namespace, abandon.signal);
    return await runIndexJob(jobDeps, config, namespace, isDue, abandon.signal);
  };

  const settle = async (namespace: string, markers: readonly DirtyMarker[], result: IndexJobResult): Promise<void> => {
    switch (result.kind) {
      case 'waits':
        backlog.keep(namespace, result.tail, nowMs());
        return;
      case 'leased':
        backlog.postpone(namespace, config.leasedDelayMs, nowMs());
        return;
      case 'dropped':
        backlog.postpone(namespace, retryDelayMs(namespace), nowMs());
        return;
      case 'nothing':
        clearing.add(markers);
        backlog.finish(namespace, nowMs());
        return;
      case 'committed': {
        gc.learn(namespace);
        metrics.ingestedBytes.add(result.tailBytes);
        metrics.writtenBytes.add(result.writtenBytes, { kind: 'index' });
        metrics.indexedRows.add(result.rowCount);
        metrics.segmentCounts.observe(result.segments.length);
        if (result.view !== undefined) await announce(namespace, result.generation, result.view);
        merges.consider(namespace, result);
        if (result.tail.entryCount > 0) backlog.keep(namespace, result.tail, nowMs());
        else {
          clearing.add([...markers, indexedMarker(namespace, result.generationFirst)]);
          backlog.finish(namespace, nowMs());
        }
      }
    }
  };

  /** Where the ingester appended the entry, it sends the notices. */
  const notifyQueryNodes = async (namespace: string, generation: number): Promise<void> => {
    const request = { namespace, generation: BigInt(generation) };
    const calls = deps.queryNodes().map((node) => node.notify(request, { timeoutMs: config.notifyTimeoutMs }));
    await Promise.allSettled(calls);
  };

  const retryDelayMs = (namespace: string): number => {
    const bounds = { firstDelayMs: config.retryFirstDelayMs, delayMsMax: config.retryDelayMsMax };
    return Math.ceil(backoffMs(deps.random, bounds, backlog.failureCountOf(namespace))) + 1;
  };

  const sweepOnce = async (): Promise<void> => {
    try {
      await clearing.flush();
      await sweep.run(abandon.signal);
    } catch (error) {
      deps.log.warn('sweep of dirty markers failed', { error: toLagoonError(error) });
    }
    if (isClosing) return;
    sweepTimer = clock.setTimer(config.sweepIntervalMs, () => track(sweepOnce()));
  };

  const observe = (): void => {
    const lag = backlog.lag(nowMs());
    metrics.runningJobs.set(jobCount);
    metrics.waitingNamespaces.set(backlog.size);
    metrics.lagBytes.set(lag.bytes);
    metrics.lagEntries.set(lag.entryCount);
    metrics.lagSeconds.set(lag.ageMs / 1000);
  };

  const settled = async (): Promise<void> => {
    while (running.size > 0) await Promise.all(running);
  };

  return {
    service: {
      notify: async (request) => {
        gc.learn(request.namespace);
        const weight = { bytes: Number(request.unindexedBytes), entryCount: Number(request.unindexedEntryCount) };
        if (backlog.learn(request.namespace, weight, nowMs())) pump();
        return {};
      },
    },
    start: () => {
      if (isStarted) return;
      isStarted = true;
      track(sweepOnce());
      gc.start();
      merges.start();
      pump();
    },
    settled,
    close: async () => {
      isClosing = true;
      wakeTimer?.cancel();
      sweepTimer?.cancel();
      using deadline = deadlineSignal(clock, config.closeTimeoutMs);
      deadline.signal.addEventListener('abort', () => abandon.abort(deadline.signal.reason), { once: true });
      merges.close();
      await gc.close();
      await settled();
      await clearing.flush();
      await jobDeps.pool.close();
      sweepTimer?.cancel();
    },
  };
}

/** Retention, the grace of the floor, the grace of the object; and a day for passes that came late. */
function obsoleteKeepMsOf({ retentionMs, graceMs }: GcConfig): number {
  return retentionMs + 2 * graceMs + 24 * 3_600_000;
}

/** The marker that an ingester may have written for the tail that is indexed now: it can stand for nothing else. */
function indexedMarker(name: string, firstUnindexedGeneration: number): DirtyMarker {
  return { key: dirtyKey(name, firstUnindexedGeneration), name, firstUnindexedGeneration, writtenAtMs: 0 };
}
