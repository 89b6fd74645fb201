import type { Metrics } from '@lagoon/base';

/** Metrics of the query engine. */
export interface EngineMeter {
  queried(kind: string, executionMs: number): void;
  restarted(): void;
}

const bucketsMs = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

export function createEngineMeter(metrics: Metrics): EngineMeter {
  const durations = metrics.histogram('lagoon_query_duration_ms', 'time of a query in the engine', bucketsMs, ['kind']);
  const restarts = metrics.counter('lagoon_query_restarts_total', 'queries begun again because an object was gone');
  return {
    queried: (kind, executionMs) => durations.observe(executionMs, { kind }),
    restarted: () => restarts.add(1),
  };
}
