import type { Counter, Gauge, Histogram, Metrics } from '@lagoon/base';

/** Metrics of the role; none is labelled by namespace. */
export interface CompactorMetrics {
  /** Labels: `outcome`. */
  readonly jobs: Counter;
  readonly jobSeconds: Histogram;
  readonly ingestedBytes: Counter;
  /** Labels: `kind`: index, merge. */
  readonly writtenBytes: Counter;
  readonly segmentCounts: Histogram;
  readonly indexedRows: Counter;
  readonly runningJobs: Gauge;
  /** Labels: `outcome`. */
  readonly merges: Counter;
  readonly mergeSeconds: Histogram;
  readonly mergeReadBytes: Counter;
  readonly runningMerges: Gauge;
  readonly waitingMerges: Gauge;
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
    ingestedBytes: metrics.counter('lagoon_compactor_ingested_bytes_total', 'bytes of the log that were indexed'),
    writtenBytes: metrics.counter('lagoon_compactor_written_bytes_total', 'bytes of segments and delete vectors', [
      'kind',
    ]),
    segmentCounts: metrics.histogram(
      'lagoon_compactor_segments',
      'segments of a namespace after each index job: what a query has to look into',
      [1, 2, 4, 8, 16, 32, 64, 128, 512],
    ),
    indexedRows: metrics.counter('lagoon_compactor_indexed_rows_total', 'rows put into segments'),
    runningJobs: metrics.gauge('lagoon_compactor_running_jobs', 'index jobs at work'),
    merges: metrics.counter('lagoon_compactor_merges_total', 'merge jobs by outcome', ['outcome']),
    mergeSeconds: metrics.histogram(
      'lagoon_compactor_merge_seconds',
      'duration of merge jobs that committed',
      [0.1, 0.5, 1, 5, 10, 30, 60, 300, 1_800, 7_200],
    ),
    mergeReadBytes: metrics.counter('lagoon_compactor_merge_read_bytes_total', 'bytes of segments that were merged'),
    runningMerges: metrics.gauge('lagoon_compactor_running_merges', 'merge jobs at work'),
    waitingMerges: metrics.gauge('lagoon_compactor_waiting_merges', 'namespaces that wait for a merge'),
    waitingNamespaces: metrics.gauge('lagoon_compactor_waiting_namespaces', 'namespaces known to have a tail'),
    lagBytes: metrics.gauge('lagoon_compactor_index_lag_bytes', 'largest unindexed tail known, in bytes'),
    lagEntries: metrics.gauge('lagoon_compactor_index_lag_entries', 'largest unindexed tail known, in entries'),
    lagSeconds: metrics.gauge('lagoon_compactor_index_lag_seconds', 'how long the oldest known tail has waited'),
  };
}
