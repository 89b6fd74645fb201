import type { Log, Metrics } from '@lagoon/base';
import type { LiveNamespace } from '@lagoon/namespace';
import type { Replica } from './replica.ts';

/**
 * Which replicas of pinned namespaces stay in memory when others need room: those used last that come to no more than their share.
 * What is pinned beyond it is treated as any other namespace, and told by log and metrics.
 */
export interface NamespacePins {
  kept(newestFirst: readonly Replica[]): ReadonlySet<Replica>;
  /**
   * Whether all of the namespace is to be loaded now: it is pinned, its segments, or what they are indexed as, are others than those
   * that were asked about last, and there is room in the share. `replica` is undefined where it is not in memory. `newestFirst` is
   * asked only where something changed: this is called for every query.
   */
  isDue(
    name: string,
    live: LiveNamespace | undefined,
    replica: Replica | undefined,
    newestFirst: () => readonly Replica[],
  ): boolean;
  /** After all of it was tried to be loaded: sets the metrics; what failed is due again. */
  loaded(replica: Replica | undefined, isLoaded: boolean, newestFirst: readonly Replica[]): void;
}

export interface PinShare {
  readonly bytesMax: number;
  readonly countMax: number;
}

export function createNamespacePins(
  deps: { readonly log: Log; readonly metrics: Metrics },
  share: PinShare,
): NamespacePins {
  const count = deps.metrics.gauge('lagoon_pinned_namespaces', 'Pinned namespaces in memory, by state.', ['state']);
  const bytes = deps.metrics.gauge('lagoon_pinned_namespace_bytes', 'Bytes in memory of pinned namespaces, by state.', [
    'state',
  ]);
  const refusals = deps.metrics.counter(
    'lagoon_pins_over_share_total',
    'Pinned namespaces that were not loaded whole because they do not fit into the share of pins.',
  );
  const asked = new WeakMap<Replica, Pick<LiveNamespace, 'manifest' | 'schema'>>();

  const remember = (replica: Replica, { manifest, schema }: LiveNamespace): void => {
    asked.set(replica, { manifest, schema });
  };
  const report = (newestFirst: readonly Replica[]): void => {
    const { kept, keptBytes, leftBytes, leftCount } = choose(newestFirst, share);
    count.set(kept.size, { state: 'kept' });
    count.set(leftCount, { state: 'over_share' });
    bytes.set(keptBytes, { state: 'kept' });
    bytes.set(leftBytes, { state: 'over_share' });
  };

  return {
    kept: (newestFirst) => choose(newestFirst, share).kept,
    isDue: (namespace, live, replica, newestFirst) => {
      if (live === undefined || !isPinned(live)) {
        if (replica !== undefined && asked.delete(replica)) report(newestFirst());
        return false;
      }
      const before = replica && asked.get(replica);
      if (before?.manifest === live.manifest && before.schema === live.schema) return false;
      if (replica !== undefined) remember(replica, live);
      const { kept, takenBytes } = choose(
        newestFirst().filter((other) => other !== replica),
        share,
      );
      const size = sizeOf(live);
      if (kept.size < share.countMax && takenBytes + size <= share.bytesMax) return true;
      refusals.add(1);
      const context = { namespace, bytes: size, takenBytes, bytesMax: share.bytesMax };
      deps.log.warn('pinned namespace does not fit into the share of pins', context);
      return false;
    },
    loaded: (replica, isLoaded, newestFirst) => {
      if (replica?.live !== undefined && isLoaded) remember(replica, replica.live);
      else if (replica !== undefined) asked.delete(replica);
      report(newestFirst);
    },
  };
}

export function isPinned(live: LiveNamespace | undefined): boolean {
  return live !== undefined && live.settings.pinnedReplicaCount > 0;
}

/**
 * One that is too large does not cost the smaller ones behind it their place. It counts with what it comes to when all of it is there, or
 * it would take their place while it is loaded.
 */
function choose(newestFirst: readonly Replica[], { bytesMax, countMax }: PinShare) {
  const kept = new Set<Replica>();
  let [takenBytes, keptBytes, leftBytes, leftCount] = [0, 0, 0, 0];
  for (const replica of newestFirst) {
    const { live, heldBytes } = replica;
    if (live === undefined || !isPinned(live)) continue;
    const size = Math.max(heldBytes, sizeOf(live));
    if (kept.size < countMax && takenBytes + size <= bytesMax) {
      kept.add(replica);
      takenBytes += size;
      keptBytes += heldBytes;
    } else {
      leftCount++;
      leftBytes += heldBytes;
    }
  }
  return { kept, takenBytes, keptBytes, leftBytes, leftCount };
}

/** About what it takes in memory, without reading it. */
function sizeOf({ manifest, tail }: LiveNamespace): number {
  const segments = manifest.segments.reduce((sum, { object }) => sum + object.size, 0);
  return tail.reduce((sum, { sizeBytes }) => sum + sizeBytes, segments);
}
