import { isLagoonError, type Log, toLagoonError } from '@lagoon/base';
import { gcStateKey } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import type { Settled } from './collector.ts';
import { decodeGcState, encodeGcState, type GcState } from './gc-state.v1.ts';
import type { Prints } from './sweep.ts';

/** Names that are known to be settled; in memory, and now and then in one object that the next process reads. */
export interface GcMemory {
  readonly settled: ReadonlyMap<string, Settled>;
  learn(settled: ReadonlyMap<string, Settled>): void;
  /** What a sweep found changed, and families that no settled name answers for; forgets what does not hold any more. */
  unsettled(prints: Prints): { names: Set<string>; families: Set<string> };
  /** What any process wrote last, taken over; undefined where there is none that can be read. */
  load(signal?: AbortSignal): Promise<GcState | undefined>;
  /** Best effort. */
  save(state: Omit<GcState, 'settled'>, signal?: AbortSignal): Promise<void>;
}

const settledCountMax = 1_000_000;
/** A state that would be larger is not kept: each process then looks at every name once. */
const stateBytesMax = 128 << 20;

export function createGcMemory(deps: { readonly store: ObjectStore; readonly log: Log }): GcMemory {
  const settled = new Map<string, Settled>();

  const learn: GcMemory['learn'] = (more) => {
    for (const [name, prints] of more)
      if (settled.size < settledCountMax || settled.has(name)) settled.set(name, prints);
  };

  return {
    settled,
    learn,

    unsettled: (prints) => {
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
    },

    load: async (signal) => {
      const object = await deps.store.get(gcStateKey, undefined, signal);
      if (object === undefined) return undefined;
      try {
        const state = decodeGcState(object.bytes);
        learn(state.settled);
        return state;
      } catch (error) {
        if (!isLagoonError(error, 'corrupt')) throw error;
        deps.log.warn('state of garbage collection ignored', { error });
        return undefined;
      }
    },

    save: async (state, signal) => {
      try {
        const bytes = encodeGcState({ ...state, settled });
        if (bytes.byteLength <= stateBytesMax) await deps.store.put(gcStateKey, bytes, signal);
      } catch (error) {
        signal?.throwIfAborted();
        deps.log.warn('state of garbage collection not written', { error: toLagoonError(error) });
      }
    },
  };
}
