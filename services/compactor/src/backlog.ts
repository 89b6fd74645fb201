import type { DirtyMarker } from '@lagoon/namespace';
import type { CompactorConfig } from './config.ts';

/** What a tail weighs. */
export interface TailWeight {
  readonly bytes: number;
  readonly entryCount: number;
}

/**
 * Namespaces that are known to have a tail, and when each is due. Times are monotonic milliseconds.
 *
 * - At most one job of a namespace runs; what is learnt meanwhile counts afterwards.
 * - A failed namespace waits for its backoff, however heavy its tail.
 */
export interface Backlog {
  /** A notice or a look at the log: the tail weighs so much now. False where the backlog is full. */
  learn(namespace: string, weight: TailWeight, nowMs: number): boolean;
  /** A marker says that there has been a tail for `ageMs`. */
  learnMarker(marker: DirtyMarker, ageMs: number, nowMs: number): void;
  /** Takes the namespace that has been due for longest; it is running until `finish`, `keep` or `postpone`. */
  take(nowMs: number): string | undefined;
  /** When `take` may give one next; undefined: nothing waits. */
  nextDueMs(): number | undefined;
  /** Whether a tail of this weight is to be indexed now, given how long it is known. */
  isDue(namespace: string, weight: TailWeight, nowMs: number): boolean;
  /** The markers that were read before the job. */
  markersOf(namespace: string): readonly DirtyMarker[];
  /** The job left no tail. Forgets the namespace, unless something was learnt while it ran. */
  finish(namespace: string, nowMs: number): void;
  /** The job left, or found, a tail of this weight. */
  keep(namespace: string, weight: TailWeight, nowMs: number): void;
  /** The job failed: not before so long. */
  postpone(namespace: string, delayMs: number, nowMs: number): void;
  failureCountOf(namespace: string): number;
  readonly size: number;
  /** The heaviest tail known, and how long the oldest is known. */
  lag(nowMs: number): TailWeight & { readonly ageMs: number };
}

interface State {
  weight: TailWeight;
  sinceMs: number;
  notBeforeMs: number;
  failureCount: number;
  running: boolean;
  learntWhileRunning: boolean;
  readonly markers: Map<string, DirtyMarker>;
}

const noWeight: TailWeight = { bytes: 0, entryCount: 0 };
const markerCountMax = 16;

export function createBacklog(config: CompactorConfig): Backlog {
  const states = new Map<string, State>();

  const stateOf = (namespace: string, nowMs: number): State | undefined => {
    const present = states.get(namespace);
    if (present !== undefined) return present;
    if (states.size >= config.backlogCountMax) return undefined;
    const made: State = {
      weight: noWeight,
      sinceMs: nowMs,
      notBeforeMs: nowMs,
      failureCount: 0,
      running: false,
      learntWhileRunning: false,
      markers: new Map(),
    };
    states.set(namespace, made);
    return made;
  };

  const waitMs = (weight: TailWeight): number => {
    if (weight.bytes >= config.indexBytesMin || weight.entryCount >= config.indexEntryCountMin) return 0;
    const small = weight.bytes < config.smallTailBytes && weight.entryCount < config.smallTailEntryCount;
    return small ? Math.max(config.smallTailAgeMs, config.tailAgeMs) : config.tailAgeMs;
  };

  const dueMs = (state: State): number => Math.max(state.notBeforeMs, state.sinceMs + waitMs(state.weight));

  const earliest = (): readonly [string, State] | undefined => {
    let found: readonly [string, State] | undefined;
    for (const entry of states) {
      if (!entry[1].running && (found === undefined || dueMs(entry[1]) < dueMs(found[1]))) found = entry;
    }
    return found;
  };

  const stop = (namespace: string): State | undefined => {
    const state = states.get(namespace);
    if (state !== undefined) state.running = false;
    return state;
  };

  return {
    learn: (namespace, weight, nowMs) => {
      const state = stateOf(namespace, nowMs);
      if (state === undefined) return false;
      state.weight = weight;
      state.learntWhileRunning = state.running;
      return true;
    },
    learnMarker: (marker, ageMs, nowMs) => {
      const state = stateOf(marker.name, nowMs);
      if (state === undefined) return;
      if (state.markers.size < markerCountMax) state.markers.set(marker.key, marker);
      if (!state.running) state.sinceMs = Math.min(state.sinceMs, nowMs - ageMs);
    },
    take: (nowMs) => {
      const found = earliest();
      if (found === undefined || dueMs(found[1]) > nowMs) return undefined;
      found[1].running = true;
      found[1].learntWhileRunning = false;
      return found[0];
    },
    nextDueMs: () => {
      const found = earliest();
      return found === undefined ? undefined : dueMs(found[1]);
    },
    isDue: (namespace, weight, nowMs) => (states.get(namespace)?.sinceMs ?? nowMs) + waitMs(weight) <= nowMs,
    markersOf: (namespace) => [...(states.get(namespace)?.markers.values() ?? [])],
    finish: (namespace, nowMs) => {
      const state = stop(namespace);
      if (state === undefined) return;
      if (!state.learntWhileRunning) {
        states.delete(namespace);
        return;
      }
      state.sinceMs = nowMs;
      state.failureCount = 0;
      state.markers.clear();
    },
    keep: (namespace, weight, nowMs) => {
      const state = stop(namespace);
      if (state === undefined) return;
      if (!state.learntWhileRunning) state.weight = weight;
      if (state.failureCount > 0) state.notBeforeMs = nowMs;
      state.failureCount = 0;
    },
    postpone: (namespace, delayMs, nowMs) => {
      const state = stop(namespace);
      if (state === undefined) return;
      state.failureCount++;
      state.notBeforeMs = nowMs + delayMs;
    },
    failureCountOf: (namespace) => states.get(namespace)?.failureCount ?? 0,
    get size() {
      return states.size;
    },
    lag: (nowMs) => {
      let bytes = 0;
      let entryCount = 0;
      let ageMs = 0;
      for (const state of states.values()) {
        bytes = Math.max(bytes, state.weight.bytes);
        entryCount = Math.max(entryCount, state.weight.entryCount);
        ageMs = Math.max(ageMs, nowMs - state.sinceMs);
      }
      return { bytes, entryCount, ageMs };
    },
  };
}
