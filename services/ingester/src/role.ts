import { type Clock, LagoonError, type Log, type Metrics, type Random, unreachable } from '@lagoon/base';
import {
  checkNamespaceName,
  createLineage,
  createManifestCommitter,
  createNamespaceLog,
  isHintDue,
  type Lineage,
  type ManifestCommitter,
  type NamespaceLog,
  type NamespaceView,
} from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import type { CompactorService } from '@lagoon/proto/lagoon/v1/compactor_pb.js';
import { AppendManifestResponse_Outcome, type IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import type { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import type { ServiceClient, ServiceImplementation } from '@lagoon/rpc';
import { noTracer, type Tracer } from '@lagoon/telemetry';
import { createBackgroundTasks } from './background-tasks.ts';
import { settingsMessage } from './change-settings.ts';
import { type IngesterConfig, resolveIngesterConfig } from './config.ts';
import { createCopyOperations } from './copy-operations.ts';
import { createDirtyMarkers } from './dirty-markers.ts';
import { noSuchNamespace, weighTail } from './group.ts';
import { createIngesterMetrics, type IngesterMetrics } from './ingester-metrics.ts';
import { createLineageService } from './lineage-service.ts';
import { createNamespaceWriter, type WriteAnswer } from './namespace-writer.ts';
import { createNotifier } from './notifier.ts';
import { createRowMemory } from './row-memory.ts';
import { schemaMessage } from './schema-message.ts';
import {
  readHandedManifest,
  readSchemaUpdate,
  readSettingsUpdate,
  readWriteRequest,
  type WriteCounts,
  type WriteRequest,
} from './write-request.ts';
import { createWriterPool, type WriterPool } from './writer-pool.ts';

export interface IngesterDeps {
  readonly store: ObjectStore;
  /** Default: one on `store`. */
  readonly namespaceLog?: NamespaceLog;
  readonly committer?: ManifestCommitter;
  readonly lineage?: Lineage;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer?: Tracer;
  queryNodes(): readonly ServiceClient<typeof QueryNodeService>[];
  compactor(namespace: string): ServiceClient<typeof CompactorService> | undefined;
}

export interface IngesterRole {
  readonly service: ServiceImplementation<typeof IngesterService>;
  /** Takes nothing more, commits what is queued, answers everyone. */
  close(): Promise<void>;
}

/** Background work at once: markers and hints after the answers. */
const backgroundCountMax = 1_000;
const lagObservationMs = 1_000;

/** The role that turns writes into generations: README of this package. */
export function createIngesterRole(deps: IngesterDeps, given: Partial<IngesterConfig> = {}): IngesterRole {
  const config = resolveIngesterConfig(given);
  const background = createBackgroundTasks(deps.log, backgroundCountMax);
  const metrics = createIngesterMetrics(deps.metrics);
  const observeLag = createLagObserver(metrics, deps.clock);
  const namespaceLog = deps.namespaceLog ?? createNamespaceLog(deps);
  const dirty = createDirtyMarkers({ ...deps, background }, config.dirtyMarkerDelayMs);
  const notifier = createNotifier(deps, config);
  const writerDeps = {
    clock: deps.clock,
    random: deps.random,
    namespaceLog,
    store: deps.store,
    memory: createRowMemory(config.rowsBytesMax),
    committer: deps.committer ?? createManifestCommitter(deps),
    metrics,
    tracer: deps.tracer ?? noTracer,
    onCommit: (before: NamespaceView | undefined, view: NamespaceView) => {
      const tail = weighTail(view);
      notifier.notify(view.name, {
        generation: view.generation,
        unindexedBytes: tail.bytes,
        unindexedEntryCount: tail.entryCount,
      });
      dirty.observe(view);
      observeLag(pool);
      if (before !== undefined && isHintDue(before, view)) {
        background.run('write head hint', () => namespaceLog.writeHint(view));
      }
    },
  };
  const pool: WriterPool = createWriterPool(
    {
      clock: deps.clock,
      create: (name) => createNamespaceWriter({ ...writerDeps, name }, config),
      onDrop: dirty.flush,
    },
    config,
  );
  let isClosing = false;
  /** Of all writes that are not answered yet. */
  let queuedBytes = 0;

  const writerOf = (namespace: string) => {
    checkNamespaceName(namespace);
    if (isClosing) throw new LagoonError('unavailable', 'the ingester is stopping');
    return pool.writerOf(namespace);
  };

  const write = async (namespace: string, request: WriteRequest, signal: AbortSignal): Promise<WriteAnswer> => {
    checkRoleQueue(queuedBytes, request.sizeBytes, config.roleQueueBytesMax);
    queuedBytes += request.sizeBytes;
    metrics.queuedBytes.set(queuedBytes);
    try {
      return await writerOf(namespace).write(request, signal);
    } finally {
      queuedBytes -= request.sizeBytes;
      metrics.queuedBytes.set(queuedBytes);
    }
  };

  const lineageService = createLineageService({
    clock: deps.clock,
    namespaceLog,
    lineage: deps.lineage ?? createLineage(deps),
    writerOf,
    onBirth: (namespace, generation, entryCount) => {
      notifier.notify(namespace, { generation, unindexedBytes: 0, unindexedEntryCount: entryCount });
      dirty.observeTail(namespace, entryCount > 0 ? generation : undefined);
    },
  });

  const copyOperations = createCopyOperations({
    store: deps.store,
    random: deps.random,
    log: deps.log,
    namespaceLog,
    branch: lineageService.branch,
  });

  const service: ServiceImplementation<typeof IngesterService> = {
    ...lineageService,
    ...copyOperations,
    append: async (request, context) => {
      const answer = await write(request.namespace, readWriteRequest(request, config.blockBytesMax), context.signal);
      return appendResponse(answer);
    },
    updateSchema: async (request, context) => {
      const answer = await write(request.namespace, readSchemaUpdate(request), context.signal);
      const live = answer.view.live;
      if (live === undefined) throw noSuchNamespace(request.namespace);
      return { schema: schemaMessage(live.schema), manifestGeneration: BigInt(answer.generation) };
    },
    updateSettings: async (request, context) => {
      const answer = await write(request.namespace, readSettingsUpdate(request), context.signal);
      const live = answer.view.live;
      if (live === undefined) throw noSuchNamespace(request.namespace);
      return { settings: settingsMessage(live.settings), manifestGeneration: BigInt(answer.generation) };
    },
    deleteNamespace: async (request) => ({
      manifestGeneration: BigInt(await writerOf(request.namespace).truncate()),
    }),
    appendManifest: async (request) => {
      if (request.onlyIfWriting && pool.peek(request.namespace)?.isIdle !== false) {
        return { outcome: AppendManifestResponse_Outcome.NOT_WRITING };
      }
      const result = await writerOf(request.namespace).appendManifest(readHandedManifest(request));
      switch (result.outcome) {
        case 'committed':
          return {
            outcome: AppendManifestResponse_Outcome.COMMITTED,
            manifestGeneration: BigInt(result.generation),
          };
        case 'superseded':
          return { outcome: AppendManifestResponse_Outcome.SUPERSEDED };
        case 'refused':
          return { outcome: AppendManifestResponse_Outcome.REFUSED };
        default:
          return unreachable(result, 'manifest outcome');
      }
    },
  };

  return { service, close: () => close() };

  async function close(): Promise<void> {
    isClosing = true;
    await pool.drain();
    pool.close();
    dirty.flush();
    await notifier.drain();
    await background.drain();
  }
}

function appendResponse(answer: WriteAnswer) {
  const { outcome } = answer;
  const counts = countsOf(outcome);
  const affected = outcome.kind === 'applied' ? outcome.affected : undefined;
  return {
    manifestGeneration: BigInt(answer.generation),
    rowsUpserted: BigInt(counts.rowsUpserted),
    rowsPatched: BigInt(counts.rowsPatched),
    rowsDeleted: BigInt(counts.rowsDeleted),
    rowsRemaining: counts.rowsRemaining,
    logicalBytesWritten: BigInt(counts.logicalBytesWritten),
    ...(affected === undefined ? {} : { affectedIds: { ...affected } }),
  };
}

function countsOf(outcome: WriteAnswer['outcome']): WriteCounts {
  switch (outcome.kind) {
    case 'applied':
      return outcome.counts;
    case 'kept':
      return outcome.record;
    case 'unchanged':
      return { rowsUpserted: 0, rowsPatched: 0, rowsDeleted: 0, rowsRemaining: false, logicalBytesWritten: 0 };
  }
}

function checkRoleQueue(queuedBytes: number, sizeBytes: number, bytesMax: number): void {
  if (queuedBytes + sizeBytes <= bytesMax) return;
  throw new LagoonError('resource_exhausted', 'too many bytes of writes wait', {
    reason: 'backpressure',
    context: { bytes: queuedBytes, bytesMax },
    retryAfterMs: 200,
  });
}

/** Looks at every warm namespace, so not at every commit. */
function createLagObserver(metrics: IngesterMetrics, clock: Clock): (pool: WriterPool) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  return (pool) => {
    if (clock.monotonicMs() - lastMs < lagObservationMs) return;
    lastMs = clock.monotonicMs();
    let bytes = 0;
    let entries = 0;
    let oldestMs = Number.POSITIVE_INFINITY;
    for (const { view } of pool.writers) {
      if (view === undefined) continue;
      const tail = weighTail(view);
      bytes = Math.max(bytes, tail.bytes);
      entries = Math.max(entries, tail.entryCount);
      oldestMs = Math.min(oldestMs, view.live?.tail[0]?.writtenAtMs ?? oldestMs);
    }
    metrics.writers.set(pool.size);
    metrics.lagBytes.set(bytes);
    metrics.lagEntries.set(entries);
    metrics.lagSeconds.set(oldestMs === Number.POSITIVE_INFINITY ? 0 : Math.max(0, clock.wallMs() - oldestMs) / 1000);
  };
}
