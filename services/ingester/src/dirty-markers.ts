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
  /** Writes what is due later at once, of one namespace or of all. */
  flush(namespace?: string): void;
}

interface Watched {
  readonly generation: number;
  readonly timer: Timer | undefined;
}

export function createDirtyMarkers(
  deps: { readonly store: ObjectStore; readonly clock: Clock; readonly background: BackgroundTasks },
  delayMs: number,
): DirtyMarkers {
  const watched = new Map<string, Watched>();

  const write = (namespace: string, generation: number): void => {
    watched.set(namespace, { generation, timer: undefined });
    deps.background.run('write dirty marker', () => writeDirtyMarker(deps.store, namespace, generation));
  };

  const flushOne = (namespace: string): void => {
    const present = watched.get(namespace);
    if (present?.timer === undefined) return;
    present.timer.cancel();
    write(namespace, present.generation);
  };

  return {
    observe: (view) => {
      const generation = view.live?.tail[0]?.generation;
      const present = watched.get(view.name);
      if (present?.generation === generation) return;
      present?.timer?.cancel();
      watched.delete(view.name);
      if (generation === undefined) return;
      const timer = deps.clock.setTimer(delayMs, () => write(view.name, generation));
      watched.set(view.name, { generation, timer });
    },
    flush: (namespace) => {
      const names = namespace === undefined ? [...watched.keys()] : [namespace];
      for (const name of names) {
        flushOne(name);
        watched.delete(name);
      }
    },
  };
}
