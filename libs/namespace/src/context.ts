import { type Clock, createRandomId, type Log, type Metrics, type Random } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import { createPartCache, type ManifestSource } from './manifest-reader.ts';
import { createTimeKeeper, type TimeKeeper } from './proof.ts';

export interface NamespaceLogDeps {
  /** Reads may be retried below; `create` must be sent once. */
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** What the parts of a namespace log share. */
export interface LogContext extends ManifestSource {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: LogMetrics;
  readonly time: TimeKeeper;
  readonly writerId: string;
  /** Parts up to here lie in the entry; above, in a body of their own. */
  readonly inlinePartsBytesMax: number;
}

const inlinePartsBytesMax = 4 << 20;

export function createLogContext(
  deps: NamespaceLogDeps,
  options: { readonly writerId?: string; readonly inlinePartsBytesMax?: number } = {},
): LogContext {
  return {
    store: deps.store,
    manifestParts: createPartCache(),
    clock: deps.clock,
    random: deps.random,
    log: deps.log,
    metrics: createLogMetrics(deps.metrics),
    time: createTimeKeeper(deps.clock),
    writerId: options.writerId ?? createRandomId(deps.random),
    inlinePartsBytesMax: Math.min(options.inlinePartsBytesMax ?? inlinePartsBytesMax, inlinePartsBytesMax),
  };
}

export interface LogMetrics {
  appended(outcome: 'won' | 'lost' | 'unknown'): void;
  restarted(): void;
  hint(use: 'used' | 'absent' | 'ignored'): void;
}

export function createLogMetrics(metrics: Metrics): LogMetrics {
  const appends = metrics.counter('lagoon_log_appends_total', 'attempts to create a log entry', ['outcome']);
  const restarts = metrics.counter('lagoon_log_restarts_total', 'views given up because they were below the floor');
  const hints = metrics.counter('lagoon_log_hints_total', 'head hints met when a namespace was opened', ['use']);
  return {
    appended: (outcome) => appends.add(1, { outcome }),
    restarted: () => restarts.add(1),
    hint: (use) => hints.add(1, { use }),
  };
}
