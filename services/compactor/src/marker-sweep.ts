import type { NamespaceLog } from '@lagoon/namespace';
import { listDirtyMarkers } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import type { Backlog } from './backlog.ts';

/** Reads the markers of namespaces with a tail, some pages at a time, round and round. */
export interface MarkerSweep {
  run(signal?: AbortSignal): Promise<void>;
}

export function createMarkerSweep(
  deps: { readonly store: ObjectStore; readonly namespaceLog: NamespaceLog; readonly backlog: Backlog },
  pageCountMax: number,
  nowMs: () => number,
): MarkerSweep {
  let cursor: string | undefined;
  return {
    run: async (signal) => {
      for (let page = 0; page < pageCountMax; page++) {
        const { markers, nextCursor } = await listDirtyMarkers(deps.store, cursor, signal);
        // Ages only say when to look; a listing whose times are off costs a look too early or too late.
        const storeNowMs = deps.namespaceLog.storeTimeMs();
        for (const marker of markers) {
          deps.backlog.learnMarker(marker, Math.max(0, storeNowMs - marker.writtenAtMs), nowMs());
        }
        cursor = nextCursor;
        if (cursor === undefined) return;
      }
    },
  };
}
