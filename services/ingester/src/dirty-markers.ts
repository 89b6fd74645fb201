import type { Clock, Timer } from '@lagoon/base';
import { type NamespaceView, writeDirtyMarker } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import type { BackgroundTasks } from './background-tasks.ts';

/**
 * Writes `dirty/<namespace>/<first unindexed generation>` for tails that are not indexed soon after their first write, so that
 * a compactor finds them when notices are lost. One marker per tail; the compactor removes exactly the key that it read.
 */
export interface DirtyMarkers {
  /** What the namespace's tail is now. */
  observe(view: NamespaceView): void;
  /** As `observe`, for a tail that is known only by where it begins. */
  observeTail(namespace: string, firstUnindexedGeneration: number | undefined): void;
  /** Writes what is due later at once, of one namespace or of all. */
  flush(namespace?: string): void;
}

interface Watched {
  readonly generation: number;
  readonly timer: Timer | undefined;
}

/** Only while the store takes none are there ever so many. */
const watchedCountMax = 100_000;

export function createDirtyMarkers(
  deps: { readonly store: ObjectStore; readonly clock: Clock; readonly background: BackgroundTasks },
  delayMs: number,
): DirtyMarkers {
  const watched = new Map<string, Watched>();
  let isClosed = false;

  /** Written after the delay, and again after another while it cannot be: a tail without a marker may be known to nobody. */
  const watch = (namespace: string, generation: number): void => {
    const timer = deps.clock.setTimer(delayMs, () => write(namespace, generation));
    watched.set(namespace, { generation, timer });
  };

  const write = (namespace: string, generation: number): void => {
    watched.set(namespace, { generation, timer: undefined });
    deps.background.run('write dirty marker', async () => {
      try {
        await writeDirtyMarker(deps.store, namespace, generation);
      } catch (error) {
        const present = watched.get(namespace)?.generation ?? generation; // flushed, and no longer watched, perhaps
        if (!isClosed && present === generation && watched.size < watchedCountMax) watch(namespace, generation);
        throw error;
      }
    });
  };

  const flushOne = (namespace: string): void => {
    const present = watched.get(namespace);
    if (present?.timer === undefined) return;
    present.timer.cancel();
    write(namespace, present.generation);
  };

  const observeTail = (namespace: string, generation: number | undefined): void => {
    const present = watched.get(namespace);
    if (present?.generation === generation) return;
    present?.timer?.cancel();
    watched.delete(namespace);
    if (generation === undefined) return;
    watch(namespace, generation);
  };

  return {
    observe: (view) => observeTail(view.name, view.live?.tail[0]?.generation),
    observeTail,
    flush: (namespace) => {
      isClosed ||= namespace === undefined;
      const names = namespace === undefined ? [...watched.keys()] : [namespace];
      for (const name of names) {
        flushOne(name);
        watched.delete(name);
      }
    },
  };
}
