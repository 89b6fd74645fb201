import { type Clock, deadlineSignal, isLagoonError, LagoonError, toLagoonError } from '@lagoon/base';
import type { EntryDraft, ManifestCommitter, ManifestOutcome, NamespaceLog, NamespaceView } from '@lagoon/namespace';
import type { Tracer } from '@lagoon/telemetry';
import { checkWritable } from './change-settings.ts';
import type { IngesterConfig } from './config.ts';
import { noSuchNamespace, type WriteOutcome } from './group.ts';
import { type CommittedGroup, commitGroup, type GroupCommitDeps } from './group-commit.ts';
import { createIdempotencyTable, type IdempotencyTable } from './idempotency-table.ts';
import type { IngesterMetrics } from './ingester-metrics.ts';
import { createNamespaceRows, type NamespaceRowsDeps } from './namespace-rows.ts';
import { createWorkQueue, type Pending } from './work-queue.ts';
import { createWriteResolver, type WriteRequest } from './write-request.ts';

/**
 * The one writer of a namespace in this process: an actor with a queue and at most one entry in flight.
 *
 * Invariants:
 * - `view` is what the last outcome left; undefined after an outcome that could not be known.
 * - A group is resolved when it is closed, on a view that includes its predecessor's outcome.
 * - Every caller is answered exactly once, after the outcome of its entry is known.
 */
export interface NamespaceWriter {
  write(request: WriteRequest, signal?: AbortSignal): Promise<WriteAnswer>;
  /** Ends the namespace; `not_found` where there is none. Resolves with the generation of its end. */
  truncate(): Promise<number>;
  /** Commits an entry of its own between two groups, in the order of writes. */
  alone<R>(step: AloneStep<R>): Promise<R>;
  /** Appends a compactor's entry between two groups. */
  appendManifest(manifest: HandedManifest): Promise<ManifestOutcome>;
  /** Resolves when everything queued has its answer. */
  drain(): Promise<void>;
  /** Lets the rows go that it holds for conditions, patches and filters. */
  letGo(): void;
  readonly isIdle: boolean;
  readonly queuedBytes: number;
  readonly view: NamespaceView | undefined;
}

export interface WriteAnswer {
  readonly outcome: Exclude<WriteOutcome, { readonly kind: 'failed' }>;
  /** The generation that holds the write, or at which it changed nothing. */
  readonly generation: number;
  readonly view: NamespaceView;
}

/** `view` is what the writer knows; what comes back replaces it, undefined where it has to be read again. */
export type AloneStep<R> = (
  view: NamespaceView | undefined,
  table: IdempotencyTable,
  signal: AbortSignal,
) => Promise<{ readonly result: R; readonly view: NamespaceView | undefined }>;

export interface HandedManifest {
  readonly commitId: string;
  readonly message: Uint8Array;
}

export interface NamespaceWriterDeps
  extends Omit<GroupCommitDeps, 'table' | 'resolveWrite' | 'rows'>,
    NamespaceRowsDeps {
  readonly name: string;
  readonly clock: Clock;
  readonly namespaceLog: NamespaceLog;
  readonly committer: ManifestCommitter;
  readonly metrics: IngesterMetrics;
  readonly tracer: Tracer;
  /** Called after the answers of every commit; must not wait. */
  onCommit(before: NamespaceView | undefined, after: NamespaceView): void;
}

type PendingWrite = Pending<WriteRequest, WriteAnswer>;
type PendingAlone = Pending<() => Promise<void>, void>;
type PendingManifest = Pending<HandedManifest, ManifestOutcome>;

export function createNamespaceWriter(deps: NamespaceWriterDeps, config: IngesterConfig): NamespaceWriter {
  const queue = createWorkQueue<PendingWrite, PendingAlone, PendingManifest>(config);
  const table = createIdempotencyTable(deps.clock, config.idempotencyKeepMs);
  const resolveWrite = createWriteResolver(config);
  const rows = createNamespaceRows(deps, config);
  let view: NamespaceView | undefined;
  let hasFailed = false;
  /** As of the last commit's notices. */
  let noticed: NamespaceView | undefined;
  /** Commits up to here were told to others. */
  let toldThrough = 0;
  let running: Promise<void> | undefined;
  /** Writes that began with reading rows, and may not be queued yet. */
  const warming = new Set<Promise<WriteAnswer>>();
  let lastGroupStartMs = Number.NEGATIVE_INFINITY;

  /** One append behind the view, under the commit's deadline. Drops the view where the outcome leaves none. */
  const append = async <R extends { readonly view: NamespaceView }>(
    step: (view: NamespaceView, signal: AbortSignal) => Promise<R>,
  ): Promise<R> => {
    using deadline = deadlineSignal(deps.clock, config.commitTimeoutMs);
    let isSent = false;
    try {
      if (!hasFailed) view ??= rows.view; // read a moment ago
      view ??= (await deps.namespaceLog.open(deps.name, {}, deadline.signal)).view;
      noticed ??= view;
      isSent = true;
      const result = await step(view, deadline.signal);
      view = result.view;
      return result;
    } catch (error) {
      view = undefined;
      hasFailed = true;
      throw commitError(error, isSent);
    }
  };

  const noticeCommit = (after: NamespaceView): void => {
    deps.onCommit(noticed, after);
    noticed = after;
    toldThrough = after.generation;
  };

  /** A tail that was only found: whoever wrote it may have died before it told anyone. */
  const noticeFound = (found: NamespaceView): void => {
    if (found.generation > toldThrough && (found.live?.tail.length ?? 0) > 0) noticeCommit(found);
  };

  const commitWrites = async (pending: readonly PendingWrite[]): Promise<void> => {
    const startMs = deps.clock.monotonicMs();
    const writes = pending.map((write) => write.item);
    // A group serves many callers, so its trace is its own.
    const span = deps.tracer.startSpan('ingester.commit', { namespace: deps.name, writes: writes.length });
    try {
      const group = await append((at, signal) =>
        commitGroup({ ...deps, table, resolveWrite, rows }, config, at, writes, signal),
      );
      span.setAttribute('generation', group.view.generation);
      answerGroup(pending, group);
      if (!group.isCommitted) return noticeFound(group.view);
      observeGroup(deps.metrics, group, writes.length, deps.clock.monotonicMs() - startMs);
      noticeCommit(group.view);
    } catch (error) {
      span.recordError(error);
      deps.metrics.commits.add(1, { outcome: failureOutcome(error) });
      for (const write of pending) write.reject(error);
    } finally {
      span.end();
    }
  };

  const truncate = async (): Promise<number> => {
    const build = ({ live }: NamespaceView): EntryDraft | 'nothing' => {
      if (live === undefined) return 'nothing';
      checkWritable(deps.name, live.settings);
      return { kind: 'truncate' };
    };
    const result = await append((at, signal) => deps.namespaceLog.append(at, build, signal));
    if (result.outcome === 'nothing') throw noSuchNamespace(deps.name);
    noticeCommit(result.view);
    return result.generation;
  };

  const commitAlone = async <R>(step: AloneStep<R>): Promise<R> => {
    using deadline = deadlineSignal(deps.clock, config.commitTimeoutMs);
    try {
      const done = await step(view, table, deadline.signal);
      view = done.view;
      if (view !== undefined) noticeFound(view);
      return done.result;
    } catch (error) {
      view = undefined;
      throw commitError(error, true);
    }
  };

  const commitManifest = async (pending: PendingManifest): Promise<void> => {
    try {
      const result = await append((at, signal) => deps.committer.append(deps.namespaceLog, at, pending.item, signal));
      deps.metrics.manifests.add(1, { outcome: result.outcome });
      // Found in the log, it may lie anywhere before the view.
      if (result.view.newestManifestGeneration === result.view.generation) rows.committed(result.view, []);
      pending.resolve(result);
      if (result.outcome === 'committed') noticeCommit(result.view);
    } catch (error) {
      deps.metrics.manifests.add(1, { outcome: failureOutcome(error) });
      pending.reject(error);
    }
  };

  const pace = async (): Promise<void> => {
    const waitMs = lastGroupStartMs + config.minCommitIntervalMs - deps.clock.monotonicMs();
    if (waitMs > 0) await deps.clock.sleep(waitMs);
    lastGroupStartMs = deps.clock.monotonicMs();
  };

  const run = async (): Promise<void> => {
    for (;;) {
      if (config.minCommitIntervalMs > 0 && queue.nextIsGroup) await pace();
      const work = queue.next();
      if (work === undefined) return;
      if (work.kind === 'group') {
        await commitWrites(work.writes);
        // Writers that were just answered come back at once; a group that closes before they are here takes the first of them
        // and lets the others wait for a whole PUT.
        if (work.writes.length > 1) await deps.clock.sleep(config.regroupDelayMs);
      } else if (work.kind === 'alone') await work.alone.item().then(work.alone.resolve, work.alone.reject);
      else await commitManifest(work.manifest);
    }
  };

  const start = (): void => {
    running ??= run().finally(() => {
      running = undefined;
      if (queue.length > 0) start(); // pushed after the last look, before this
    });
  };

  const enqueue = <T, R>(item: T, push: (pending: Pending<T, R>) => void): Promise<R> =>
    new Promise<R>((resolve, reject) => {
      push({ item, enqueuedAtMs: deps.clock.monotonicMs(), resolve, reject });
      start();
    });

  const enqueueAlone = async <R>(run: () => Promise<R>): Promise<R> => {
    let result: { readonly value: R } | undefined;
    await enqueue<() => Promise<void>, void>(async () => {
      result = { value: await run() };
    }, queue.pushAlone);
    if (result === undefined) throw new LagoonError('internal', 'work that was done has no result');
    return result.value;
  };

  const write = async (request: WriteRequest, signal?: AbortSignal): Promise<WriteAnswer> => {
    signal?.throwIfAborted();
    let leave: (() => void) | undefined;
    try {
      return await enqueue<WriteRequest, WriteAnswer>(request, (pending) => {
        queue.pushWrite(pending, request.sizeBytes);
        leave = () => {
          if (queue.removeWrite(pending)) pending.reject(signal?.reason);
        };
        signal?.addEventListener('abort', leave, { once: true });
      });
    } finally {
      if (leave !== undefined) signal?.removeEventListener('abort', leave);
    }
  };

  /** Has the rows read beside the commits. What was kept under a key answers its retry without any of them. */
  const warmed = async (request: WriteRequest, signal?: AbortSignal): Promise<void> => {
    signal?.throwIfAborted();
    try {
      await rows.warm(view, signal);
    } catch (error) {
      if (request.idempotency === undefined || signal?.aborted === true) throw error;
    }
  };

  return {
    write: (request, signal) => {
      if (request.rowWork?.readsRows !== true) return write(request, signal);
      const done: Promise<WriteAnswer> = warmed(request, signal)
        .then(() => write(request, signal))
        .finally(() => warming.delete(done));
      warming.add(done);
      return done;
    },
    truncate: () => enqueueAlone(truncate),
    alone: (step) => enqueueAlone(() => commitAlone(step)),
    appendManifest: (manifest) => enqueue<HandedManifest, ManifestOutcome>(manifest, queue.pushManifest),
    drain: async () => {
      while (running !== undefined || warming.size > 0) await (running ?? Promise.allSettled(warming));
    },
    letGo: rows.letGo,
    get isIdle() {
      return running === undefined && queue.length === 0 && warming.size === 0;
    },
    get queuedBytes() {
      return queue.queuedBytes;
    },
    get view() {
      return view;
    },
  };
}

function answerGroup(pending: readonly PendingWrite[], group: CommittedGroup): void {
  for (const [index, write] of pending.entries()) {
    const outcome = group.resolved.outcomes[index];
    if (outcome === undefined) write.reject(new LagoonError('internal', 'a write of the group has no outcome'));
    else if (outcome.kind === 'failed') write.reject(outcome.error);
    else {
      const generation = outcome.kind === 'kept' ? outcome.record.generation : group.view.generation;
      write.resolve({ outcome, generation, view: group.view });
    }
  }
}

function observeGroup(metrics: IngesterMetrics, group: CommittedGroup, writeCount: number, durationMs: number): void {
  let rows = 0;
  for (const outcome of group.resolved.outcomes) if (outcome.kind === 'applied') rows += outcome.counts.rowsUpserted;
  metrics.commits.add(1, { outcome: 'committed' });
  metrics.commitSeconds.observe(durationMs / 1000);
  metrics.groupWrites.observe(writeCount);
  metrics.groupBytes.observe(group.view.live?.tail.at(-1)?.sizeBytes ?? 0);
  metrics.rowsWritten.add(rows);
}

/** After the entry may have been sent, running out of time says nothing about its outcome. */
function commitError(error: unknown, isSent: boolean): LagoonError {
  const failure = toLagoonError(error);
  if (failure.code !== 'deadline_exceeded' && failure.code !== 'cancelled') return failure;
  if (!isSent) return new LagoonError('unavailable', 'the store does not answer in time', { cause: error });
  return new LagoonError('unavailable', 'the outcome of the write is unknown', {
    reason: 'outcome_unknown',
    cause: error,
  });
}

function failureOutcome(error: unknown): string {
  return isLagoonError(error) && error.reason === 'outcome_unknown' ? 'unknown' : 'failed';
}
