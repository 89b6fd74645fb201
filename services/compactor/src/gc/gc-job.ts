import { type Clock, type Log, type Metrics, type Timer, toLagoonError } from '@lagoon/base';
import { type NamespaceLog, sweepJobLeases } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import { createCollector } from './collector.ts';
import type { GcConfig } from './gc-config.ts';
import { createGcMemory } from './gc-memory.ts';
import { createGcMetrics } from './gc-metrics.ts';
import type { GcReport } from './report.ts';
import { sweepStore } from './sweep.ts';

export interface GcJobDeps {
  readonly store: ObjectStore;
  readonly namespaceLog: NamespaceLog;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Whether to go on from what the processes before have left, and leave it to the next; else everything is looked at. */
  readonly goesOn?: boolean;
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

const watchedCountMax = 100_000;

export function createGcJob(deps: GcJobDeps, config: GcConfig): GcJob {
  const { clock, goesOn = false } = deps;
  const collector = createCollector(deps, config);
  const metrics = createGcMetrics(deps.metrics);
  const memory = createGcMemory(deps);
  let watched = new Set<string>();
  let watchedFamilies = new Set<string>();
  let lastSweepMs: number | undefined;
  let lastSweptAtMs = 0;
  let timer: Timer | undefined;
  let running: Promise<unknown> | undefined;
  const stop = new AbortController();

  /** The listing of another process serves as well, while it is young enough; what that one left open goes on here. */
  const takeOver = async (startMs: number, signal: AbortSignal | undefined): Promise<boolean> => {
    const state = await memory.load(signal);
    const ageMs = state === undefined ? -1 : deps.namespaceLog.storeTimeMs() - state.sweptAtMs;
    if (state === undefined || ageMs < 0 || ageMs >= config.sweepIntervalMs) return false;
    lastSweepMs = startMs - ageMs;
    lastSweptAtMs = state.sweptAtMs;
    for (const name of state.openNames) watch(name);
    for (const family of state.openFamilies) watchedFamilies.add(family);
    return true;
  };

  const run: GcJob['run'] = async (options = {}, signal) => {
    const startMs = clock.monotonicMs();
    const isDue = lastSweepMs === undefined || startMs - lastSweepMs >= config.sweepIntervalMs;
    const isSweep = isDue && !(goesOn && (await takeOver(startMs, signal)));
    const sweptAtMs = isSweep ? deps.namespaceLog.storeTimeMs() : lastSweptAtMs;
    const found = isSweep ? memory.unsettled(await sweepStore(deps.store, signal)) : undefined;
    const scope = found ?? { names: new Set<string>(), families: new Set<string>() };
    for (const name of watched) scope.names.add(name);
    for (const family of watchedFamilies) scope.families.add(family);
    watched = new Set();
    const result = await collector.pass({ ...scope, dryRun: options.dryRun === true }, signal);
    if (isSweep) {
      if (options.dryRun !== true) await sweepJobLeases(deps.store, signal);
      lastSweepMs = startMs;
      lastSweptAtMs = sweptAtMs;
    }
    memory.learn(result.settled);
    for (const name of result.looked.keys()) if (!result.settled.has(name)) watch(name);
    watchedFamilies = new Set(result.openFamilies);
    const hasSettled = scope.names.size > 0 && watched.size + watchedFamilies.size === 0;
    if (goesOn && (isSweep || hasSettled)) await save(sweptAtMs, signal);
    metrics.observe(result.report, (clock.monotonicMs() - startMs) / 1000);
    return result.report;
  };

  const save = (sweptAtMs: number, signal: AbortSignal | undefined): Promise<void> =>
    memory.save({ sweptAtMs, openNames: watched, openFamilies: watchedFamilies }, signal);

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
