import type { Clock, Log, Timer } from '@lagoon/base';
import { clearDirtyMarkers, type DirtyMarker } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';

/**
 * Removes markers whose tail is indexed, those of many namespaces in one request. Until then they cost a look at a namespace
 * at worst; so what fails here is dropped, and the next sweep finds it.
 */
export interface MarkerClearing {
  add(markers: readonly DirtyMarker[]): void;
  flush(): Promise<void>;
}

const batchCountMax = 1_000;

export function createMarkerClearing(
  deps: { readonly store: ObjectStore; readonly clock: Clock; readonly log: Log },
  delayMs: number,
  track: (work: Promise<void>) => void,
): MarkerClearing {
  let waiting = new Map<string, DirtyMarker>();
  let timer: Timer | undefined;

  const flush = async (): Promise<void> => {
    timer?.cancel();
    timer = undefined;
    const batch = [...waiting.values()];
    waiting = new Map();
    try {
      await clearDirtyMarkers(deps.store, batch);
    } catch (error) {
      deps.log.debug('dirty markers stay for the next sweep', { count: batch.length, error });
    }
  };

  return {
    add: (markers) => {
      for (const marker of markers) waiting.set(marker.key, marker);
      if (waiting.size === 0) return;
      if (waiting.size >= batchCountMax) track(flush());
      else timer ??= deps.clock.setTimer(delayMs, () => track(flush()));
    },
    flush,
  };
}
