import type { Counter, Gauge, Histogram, Metrics } from '@lagoon/base';

/** Metrics of the role; none is labelled by namespace. */
export interface CompactorMetrics {
  /** Labels: `outcome`. */
  readonly jobs: Counter;
  readonly jobSeconds: Histogram;
  readonly writtenBytes: Counter;
  readonly indexedRows: Counter;
  readonly runningJobs: Gauge;
  readonly waitingNamespaces: Gauge;
  readonly lagBytes: Gauge;
  readonly lagEntries: Gauge;
  readonly lagSeconds: Gauge;
}

export function createCompactorMetrics(metrics: Metrics): CompactorMetrics {
  const seconds = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300];
  return {
    jobs: metrics.counter('lagoon_compactor_jobs_total', 'index jobs by outcome', ['outcome']),
    jobSeconds: metrics.histogram('lagoon_compactor_job_seconds', 'duration of index jobs that committed', seconds),
    writtenBytes: metrics.counter('lagoon_compactor_written_bytes_total', 'bytes of segments and delete vectors'),
    indexedRows: metrics.counter('lagoon_compactor_indexed_rows_total', 'rows put into segments'),
    runningJobs: metrics.gauge('lagoon_compactor_running_jobs', 'index jobs at work'),
    waitingNamespaces: metrics.gauge('lagoon_compactor_waiting_namespaces', 'namespaces known to have a tail'),
    lagBytes: metrics.gauge('lagoon_compactor_index_lag_bytes', 'largest unindexed tail known, in bytes'),
    lagEntries: metrics.gauge('lagoon_compactor_index_lag_entries', 'largest unindexed tail known, in entries'),
    lagSeconds: metrics.gauge('lagoon_compactor_index_lag_seconds', 'how long the oldest known tail has waited'),
  };
}
