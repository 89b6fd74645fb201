import { type Clock, type Log, type Metrics, type Timer, toLagoonError } from '@lagoon/base';
import type { NamespaceLog } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import { createCollector } from './collector.ts';
import type { GcConfig } from './gc-config.ts';
import { createGcMetrics } from './gc-metrics.ts';
import type { GcReport } from './report.ts';
import { type Prints, sweepStore } from './sweep.ts';

export interface GcJobDeps {
  readonly store: ObjectStore;
  readonly namespaceLog: NamespaceLog;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** Garbage collection of one process: one pass at a time. */
export interface GcJob {
  /** Passes by itself, every interval; the first comes an interval after this. */
  start(): void;
  /** Something was committed there: the next pass looks at it. A name that is not told waits for the next sweep. */
  learn(name: string): void;
  /** One pass now: over everything that is not known to be settled if a sweep is due, else over what has work. */
  run(options?: { readonly dryRun?: boolean }, signal?: AbortSignal): Promise<GcReport>;
  /** Whether nothing that the last pass saw can become garbage by waiting. */
  readonly isSettled: boolean;
  close(): Promise<void>;
}

/** A name of which nothing is left to do, as long as these fingerprints are what a sweep finds. */
interface Settled {
  readonly print: number;
  readonly families: ReadonlyMap<string, number>;
}

const watchedCountMax = 100_000;

export function createGcJob(deps: GcJobDeps, config: GcConfig): GcJob {
  const { clock } = deps;
  const collector = createCollector(deps, config);
  const metrics = createGcMetrics(deps.metrics);
  const settled = new Map<string, Settled>();
  let watched = new Set<string>();
  let watchedFamilies = new Set<string>();
  let lastSweepMs: number | undefined;
  let timer: Timer | undefined;
  let running: Promise<unknown> | undefined;
  const stop = new AbortController();

  /** What the sweep found changed, and families that no settled name answers for. */
  const unsettled = (prints: Prints): { names: Set<string>; families: Set<string> } => {
    const names = new Set<string>();
    const answered = new Set<string>();
    for (const [name, print] of prints.names) {
      const known = settled.get(name);
      const isSame =
        known?.print === print &&
        [...known.families].every(([family, familyPrint]) => (prints.families.get(family) ?? 0) === familyPrint);
      if (!isSame) names.add(name);
      else for (const family of known.families.keys()) answered.add(family);
    }
    for (const name of settled.keys()) if (!prints.names.has(name) || names.has(name)) settled.delete(name);
    return { names, families: new Set([...prints.families.keys()].filter((family) => !answered.has(family))) };
  };

  const run: GcJob['run'] = async (options = {}, signal) => {
    const startMs = clock.monotonicMs();
    const isSweep = lastSweepMs === undefined || startMs - lastSweepMs >= config.sweepIntervalMs;
    const prints = isSweep ? await sweepStore(deps.store, signal) : undefined;
    const scope = prints === undefined ? { names: watched, families: watchedFamilies } : unsettled(prints);
    for (const name of watched) scope.names.add(name);
    for (const family of watchedFamilies) scope.families.add(family);
    watched = new Set();
    const result = await collector.pass({ ...scope, dryRun: options.dryRun === true }, signal);
    if (isSweep) lastSweepMs = startMs;
    for (const [name, families] of result.looked) {
      if (!result.settled.has(name)) watch(name);
      else if (prints !== undefined) {
        const known = [...families].map((family): [string, number] => [family, prints.families.get(family) ?? 0]);
        settled.set(name, { print: prints.names.get(name) ?? 0, families: new Map(known) });
      }
    }
    watchedFamilies = new Set(result.openFamilies);
    metrics.observe(result.report, (clock.monotonicMs() - startMs) / 1000);
    return result.report;
  };

  const watch = (name: string): void => {
    if (watched.size < watchedCountMax) watched.add(name);
  };

  const schedule = (): void => {
    if (stop.signal.aborted) return;
    timer = clock.setTimer(config.intervalMs, () => {
      running = run({}, stop.signal)
        .catch((error: unknown) => {
          if (!stop.signal.aborted) deps.log.warn('garbage collection pass failed', { error: toLagoonError(error) });
        })
        .finally(schedule);
    });
  };

  return {
    start: schedule,
    learn: watch,
    run,
    get isSettled() {
      return watched.size === 0 && watchedFamilies.size === 0;
    },
    close: async () => {
      stop.abort(new DOMException('closing', 'AbortError'));
      timer?.cancel();
      await running;
    },
  };
}
