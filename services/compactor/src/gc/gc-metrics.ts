import type { Counter, Gauge, Histogram, Metrics } from '@lagoon/base';
import type { GcReport } from './report.ts';

export interface GcMetrics {
  observe(report: GcReport, seconds: number): void;
}

/** Metrics of garbage collection; none is labelled by namespace. */
export function createGcMetrics(metrics: Metrics): GcMetrics {
  const passes: Counter = metrics.counter('lagoon_gc_passes_total', 'passes by outcome', ['outcome']);
  const seconds: Histogram = metrics.histogram('lagoon_gc_pass_seconds', 'duration of passes', [0.1, 1, 10, 60, 600]);
  const objects = metrics.counter('lagoon_gc_deleted_objects_total', 'objects deleted, by kind', ['kind']);
  const bytes = metrics.counter('lagoon_gc_deleted_bytes_total', 'bytes of deleted objects');
  const floors = metrics.counter('lagoon_gc_floors_raised_total', 'floors raised');
  const jobs = metrics.counter('lagoon_gc_revoked_jobs_total', 'unfinished jobs revoked by a generation');
  const births = metrics.counter('lagoon_gc_births_given_up_total', 'births in progress given up');
  const failures = metrics.counter('lagoon_gc_failures_total', 'families and namespaces that could not be collected');
  const left: Gauge = metrics.gauge('lagoon_gc_waiting_objects', 'garbage that the last pass left for a later one');
  return {
    observe: (report, passSeconds) => {
      passes.add(1, { outcome: report.failures.length === 0 ? 'done' : 'incomplete' });
      seconds.observe(passSeconds);
      let deletedCount = 0;
      for (const [kind, tally] of report.deleted) {
        objects.add(tally.count, { kind });
        bytes.add(tally.bytes);
        deletedCount += tally.count;
      }
      let foundCount = 0;
      for (const tally of [...report.garbage.values(), ...report.waiting.values()]) foundCount += tally.count;
      left.set(Math.max(0, foundCount - deletedCount));
      floors.add(report.floorsRaised);
      jobs.add(report.jobsRevoked);
      births.add(report.birthsGivenUp);
      failures.add(report.failures.length);
    },
  };
}
