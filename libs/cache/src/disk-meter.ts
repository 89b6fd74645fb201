import type { Metrics } from '@lagoon/base';

export interface DiskCacheStatistics {
  /** Reads that the disk answered alone, and those that the store had to. */
  readonly hitCount: number;
  readonly missCount: number;
  readonly damagedCount: number;
  readonly evictionCount: number;
  readonly failureCount: number;
  /** Of the pages on disk. */
  readonly bytes: number;
}

export interface DiskMeter {
  hit(): void;
  missed(): void;
  damaged(): void;
  evicted(): void;
  failed(): void;
  /** Something was read and not kept. */
  passed(): void;
  changed(bytes: number): void;
  readonly statistics: DiskCacheStatistics;
}

export function createDiskMeter(metrics: Metrics): DiskMeter {
  const reads = metrics.counter('lagoon_disk_cache_reads_total', 'Ranges asked of the disk cache.', ['outcome']);
  const evictions = metrics.counter('lagoon_disk_cache_evictions_total', 'Objects evicted from the disk cache.');
  const failures = metrics.counter('lagoon_disk_cache_failures_total', 'Failures of the disk under the disk cache.');
  const passes = metrics.counter(
    'lagoon_disk_cache_passes_total',
    'Ranges not kept because too much waits to be written.',
  );
  const gauge = metrics.gauge('lagoon_disk_cache_bytes', 'Bytes of pages in the disk cache.');
  let statistics: DiskCacheStatistics = {
    hitCount: 0,
    missCount: 0,
    damagedCount: 0,
    evictionCount: 0,
    failureCount: 0,
    bytes: 0,
  };
  const add = (name: keyof DiskCacheStatistics, value: number): void => {
    statistics = { ...statistics, [name]: statistics[name] + value };
  };
  return {
    hit: () => {
      add('hitCount', 1);
      reads.add(1, { outcome: 'hit' });
    },
    missed: () => {
      add('missCount', 1);
      reads.add(1, { outcome: 'miss' });
    },
    damaged: () => {
      add('damagedCount', 1);
      reads.add(1, { outcome: 'damaged' });
    },
    evicted: () => {
      add('evictionCount', 1);
      evictions.add(1);
    },
    failed: () => {
      add('failureCount', 1);
      failures.add(1);
    },
    passed: () => passes.add(1),
    changed: (bytes) => {
      add('bytes', bytes);
      gauge.set(statistics.bytes);
    },
    get statistics() {
      return statistics;
    },
  };
}
