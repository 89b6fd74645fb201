import type { Clock } from '@lagoon/base';
import type { BlockCache } from '@lagoon/cache';
import { needsOf } from './query-needs.ts';
import type { QueryPlan } from './query-plan.ts';
import type { HeldSnapshot, Replica } from './replica.ts';

/** Brings into memory what is searched by pieces again and again. */
export interface PiecePrefetch {
  /** Tells of a search by pieces. */
  searched(replica: Replica, held: HeldSnapshot, plan: QueryPlan): void;
}

export interface PiecePrefetchDeps {
  readonly clock: Clock;
  readonly cache: BlockCache;
  /** Work that nobody waits for, on the rows of the replica's view. */
  readonly bringUp: (name: string, load: (held: HeldSnapshot, signal: AbortSignal) => Promise<void>) => void;
}

/** Of the arena, with what is pinned already: beyond it queries would have to make room all the time. */
const pinnedShareMax = 0.75;

/** One search by pieces tells nothing; a second one within this time tells that more will come. */
export function createPiecePrefetch({ clock, cache, bringUp }: PiecePrefetchDeps, withinMs: number): PiecePrefetch {
  const searchedMs = new WeakMap<Replica, number>();
  const fits = ({ snapshot }: HeldSnapshot, attribute: string): boolean => {
    const missing = snapshot.blocks.reduce((sum, block) => sum + block.missingBytes(attribute), 0);
    return missing + cache.statistics.pinnedBytes <= pinnedShareMax * cache.budgetBytes;
  };
  return {
    searched: (replica, held, plan) => {
      const { rank } = plan;
      const nowMs = clock.monotonicMs();
      const isRepeated = nowMs - (searchedMs.get(replica) ?? Number.NEGATIVE_INFINITY) <= withinMs;
      searchedMs.set(replica, nowMs);
      if (!isRepeated || rank.kind !== 'vector' || !fits(held, rank.attribute)) return;
      searchedMs.delete(replica); // what is under way is not asked for again by each query meanwhile
      bringUp(replica.name, (current, signal) =>
        current.ensure(needsOf(current.snapshot.schema, plan), undefined, signal),
      );
    },
  };
}
