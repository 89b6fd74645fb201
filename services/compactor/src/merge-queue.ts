import type { Manifest } from '@lagoon/namespace';
import type { CompactorConfig } from './config.ts';
import { chooseMerge, chooseQuietMerge, gainsByQuiet, type MergePolicy, weightOf } from './merge-policy.ts';

/**
 * Namespaces of which a manifest was seen that calls for a merge. Nobody looks for them: an index or a merge job that commits tells what it
 * left behind. So an idle namespace costs nothing, and what a process forgets by ending is found when the namespace is written again.
 * What is worth while only where nothing is written any more waits until no job has committed for a while.
 */
export interface MergeQueue {
  /** A manifest that was just committed. */
  consider(namespace: string, manifest: Pick<Manifest, 'segments' | 'schema'>, nowMs: number): void;
  /** Takes the one that waits for longest; it is running until `finish` or `postpone`. */
  take(nowMs: number): { readonly namespace: string; readonly isQuiet: boolean } | undefined;
  /** Undefined: nothing waits. */
  nextDueMs(): number | undefined;
  finish(namespace: string): void;
  /** The merge failed or was dropped: again after so long. */
  postpone(namespace: string, delayMs: number, nowMs: number): void;
  failureCountOf(namespace: string): number;
  readonly size: number;
}

interface Waiting {
  notBeforeMs: number;
  failureCount: number;
  running: boolean;
  /** Waits for the namespace to be quiet. */
  readonly isQuiet: boolean;
}

type QueuePolicy = MergePolicy & Pick<CompactorConfig, 'mergeQuietMs'>;

export function createMergeQueue(policy: QueuePolicy, countMax: number): MergeQueue {
  const states = new Map<string, Waiting>();
  const next = (): readonly [string, Waiting] | undefined => {
    let found: readonly [string, Waiting] | undefined;
    for (const entry of states) {
      if (!entry[1].running && (found === undefined || entry[1].notBeforeMs < found[1].notBeforeMs)) found = entry;
    }
    return found;
  };
  return {
    consider: (namespace, { segments, schema }, nowMs) => {
      const present = states.get(namespace);
      if (present !== undefined && (!present.isQuiet || present.running)) return;
      states.delete(namespace);
      if (states.size >= countMax) return;
      const weights = segments.map(weightOf);
      const isQuiet = chooseMerge(weights, policy).length === 0;
      if (isQuiet && (policy.mergeQuietMs === 0 || !gainsByQuiet(schema))) return;
      if (isQuiet && chooseQuietMerge(weights, policy).length === 0) return;
      const notBeforeMs = isQuiet ? nowMs + policy.mergeQuietMs : nowMs;
      states.set(namespace, { notBeforeMs, failureCount: 0, running: false, isQuiet });
    },
    take: (nowMs) => {
      const found = next();
      if (found === undefined || found[1].notBeforeMs > nowMs) return undefined;
      found[1].running = true;
      return { namespace: found[0], isQuiet: found[1].isQuiet };
    },
    nextDueMs: () => next()?.[1].notBeforeMs,
    finish: (namespace) => void states.delete(namespace),
    postpone: (namespace, delayMs, nowMs) => {
      const state = states.get(namespace);
      if (state === undefined) return;
      state.running = false;
      state.failureCount++;
      state.notBeforeMs = nowMs + delayMs;
    },
    failureCountOf: (namespace) => states.get(namespace)?.failureCount ?? 0,
    get size() {
      return states.size;
    },
  };
}
