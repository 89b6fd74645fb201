import type { Counter, Gauge, Histogram, Metrics } from '@lagoon/base';

/** Metrics of the role; none is labelled by namespace, so their number does not grow with tenants. */
export interface IngesterMetrics {
  readonly groupWrites: Histogram;
  readonly groupBytes: Histogram;
  readonly commitSeconds: Histogram;
  /** Labels: `outcome`. */
  readonly commits: Counter;
  /** Labels: `outcome`. */
  readonly manifests: Counter;
  readonly rowsWritten: Counter;
  readonly queuedBytes: Gauge;
  readonly writers: Gauge;
  /** The largest over the namespaces that this ingester holds warm. */
  readonly lagBytes: Gauge;
  readonly lagEntries: Gauge;
  readonly lagSeconds: Gauge;
}

export function createIngesterMetrics(metrics: Metrics): IngesterMetrics {
  const sizes = [1 << 10, 1 << 14, 1 << 17, 1 << 20, 1 << 22, 1 << 24, 1 << 26];
  const seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
  return {
    groupWrites: metrics.histogram(
      'lagoon_ingester_group_writes',
      'writes per group commit',
      [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000],
    ),
    groupBytes: metrics.histogram('lagoon_ingester_group_bytes', 'bytes of blocks per group commit', sizes),
    commitSeconds: metrics.histogram(
      'lagoon_ingester_commit_seconds',
      'time from closing a group to its outcome',
      seconds,
    ),
    commits: metrics.counter('lagoon_ingester_commits_total', 'group commits by outcome', ['outcome']),
    manifests: metrics.counter('lagoon_ingester_manifests_total', 'handed-over manifests by outcome', ['outcome']),
    rowsWritten: metrics.counter('lagoon_ingester_rows_written_total', 'rows upserted by committed writes'),
    queuedBytes: metrics.gauge('lagoon_ingester_queued_bytes', 'bytes of writes that wait for a group'),
    writers: metrics.gauge('lagoon_ingester_writers', 'namespaces with a warm view'),
    lagBytes: metrics.gauge('lagoon_ingester_index_lag_bytes', 'largest unindexed tail in bytes'),
    lagEntries: metrics.gauge('lagoon_ingester_index_lag_entries', 'largest unindexed tail in entries'),
    lagSeconds: metrics.gauge('lagoon_ingester_index_lag_seconds', 'age of the oldest unindexed entry'),
  };
}
