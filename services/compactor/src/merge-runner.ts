import { backoffMs, type Log, type Timer, toLagoonError } from '@lagoon/base';
import type { Manifest, NamespaceView } from '@lagoon/namespace';
import { noTracer, type Tracer } from '@lagoon/telemetry';
import type { CompactorMetrics } from './compactor-metrics.ts';
import type { CompactorConfig } from './config.ts';
import { type MergeJobDeps, runMergeJob } from './merge-job.ts';
import { createMergeQueue } from './merge-queue.ts';

export interface MergeRunnerDeps extends MergeJobDeps {
  readonly log: Log;
  readonly tracer?: Tracer;
  readonly metrics: CompactorMetrics;
  /** Keeps the work among what the role waits for. */
  track(work: Promise<void>): void;
  /** Hint and notices, where the entry was appended here. */
  announce(namespace: string, generation: number, view: NamespaceView): Promise<void>;
}

/** Runs merges beside the index jobs, a few at a time. */
export interface MergeRunner {
  /** A manifest that was just committed. */
  consider(namespace: string, manifest: Pick<Manifest, 'segments' | 'schema'>): void;
  start(): void;
  /** Takes no new merge and abandons those that run: they may take hours, and nothing but work is lost. */
  close(): void;
}

export function createMergeRunner(deps: MergeRunnerDeps, config: CompactorConfig): MergeRunner {
  const { clock, metrics } = deps;
  const queue = createMergeQueue(config, config.backlogCountMax);
  const abandon = new AbortController();
  const nowMs = () => clock.monotonicMs();
  let runningCount = 0;
  let isStarted = false;
  let wakeTimer: Timer | undefined;

  const pump = (): void => {
    if (!isStarted || abandon.signal.aborted) return;
    while (runningCount < config.mergeConcurrencyMax) {
      const due = queue.take(nowMs());
      if (due === undefined) break;
      runningCount++;
      const work = mergeOne(due.namespace, due.isQuiet).finally(() => {
        runningCount--;
        pump();
      });
      deps.track(work);
    }
    metrics.runningMerges.set(runningCount);
    metrics.waitingMerges.set(queue.size - runningCount);
    wakeTimer?.cancel();
    wakeTimer = undefined;
    const dueMs = runningCount < config.mergeConcurrencyMax ? queue.nextDueMs() : undefined;
    if (dueMs !== undefined) wakeTimer = clock.setTimer(Math.max(1, dueMs - nowMs()), pump);
  };

  const consider: MergeRunner['consider'] = (namespace, manifest) => {
    queue.consider(namespace, manifest, nowMs());
    pump();
  };

  const mergeOne = async (namespace: string, isQuiet: boolean): Promise<void> => {
    const startMs = nowMs();
    const span = (deps.tracer ?? noTracer).startSpan('compactor.merge', { namespace });
    try {
      const result = await runMergeJob(deps, config, namespace, isQuiet, abandon.signal);
      const outcome = result.kind === 'dropped' ? result.outcome : result.kind;
      span.setAttribute('outcome', outcome);
      metrics.merges.add(1, { outcome });
      if (result.kind === 'dropped') {
        queue.postpone(namespace, retryDelayMs(namespace), nowMs());
        return;
      }
      queue.finish(namespace);
      if (result.kind === 'nothing') return;
      metrics.mergeSeconds.observe((nowMs() - startMs) / 1000);
      metrics.writtenBytes.add(result.writtenBytes, { kind: 'merge' });
      metrics.mergeReadBytes.add(result.readBytes);
      if (result.view !== undefined) await deps.announce(namespace, result.generation, result.view);
      consider(namespace, result);
    } catch (error) {
      const failure = toLagoonError(error);
      span.recordError(failure);
      queue.postpone(namespace, retryDelayMs(namespace), nowMs());
      if (abandon.signal.aborted) return;
      metrics.merges.add(1, { outcome: 'failed' });
      deps.log.warn('merge job failed', { namespace, error: failure });
    } finally {
      span.end();
    }
  };

  const retryDelayMs = (namespace: string): number => {
    const bounds = { firstDelayMs: config.retryFirstDelayMs, delayMsMax: config.retryDelayMsMax };
    return Math.ceil(backoffMs(deps.random, bounds, queue.failureCountOf(namespace))) + 1;
  };

  return {
    consider,
    start: () => {
      isStarted = true;
      pump();
    },
    close: () => {
      wakeTimer?.cancel();
      abandon.abort();
    },
  };
}
