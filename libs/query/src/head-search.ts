import type { Clock } from '@lagoon/base';
import type { ConsistencySpec } from './query-spec.ts';
import type { HeldSnapshot, Replica } from './replica.ts';

/**
 * Searches a namespace as fresh as was asked. A strong query waits for a probe, and where the last one found nothing new this one seldom does: then what is there is
 * searched meanwhile. That counts only if the probe, which was sent after the query came, finds nothing newer; else it ends, and the search begins again.
 */
export interface HeadSearch {
  run<R>(search: SearchAtHead<R>, signal?: AbortSignal): Promise<{ readonly result: R; readonly reachedMs: number }>;
}

export interface SearchAtHead<R> {
  readonly replica: Replica;
  readonly consistency: ConsistencySpec;
  readonly take: () => Promise<HeldSnapshot>;
  /** A snapshot is held until its search has ended, also where another part of it has failed. */
  readonly search: (held: HeldSnapshot, signal?: AbortSignal) => Promise<R>;
}

export function createHeadSearch(clock: Clock): HeadSearch {
  /** Their last probe found nothing new. */
  const calm = new WeakSet<Replica>();
  return {
    run: async ({ replica, consistency, take, search }, signal) => {
      const { generation } = replica;
      const present = consistency.level === 'strong' && calm.has(replica) ? replica.peek() : undefined;
      const ahead = present && searchAhead(present, search, signal);
      try {
        await replica.reach(consistency, signal);
      } catch (error) {
        ahead?.stop();
        throw error;
      }
      const reachedMs = clock.monotonicMs();
      if (replica.generation === generation) calm.add(replica);
      else calm.delete(replica);
      if (ahead?.generation === replica.generation) return { result: await ahead.done, reachedMs };
      ahead?.stop();
      using held = await take();
      return { result: await search(held, signal), reachedMs };
    },
  };
}

function searchAhead<R>(held: HeldSnapshot, search: SearchAtHead<R>['search'], signal?: AbortSignal) {
  const controller = new AbortController();
  const stop = (): void => controller.abort(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  const run = async (): Promise<R> => {
    using own = held;
    try {
      return await search(own, controller.signal);
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  };
  const done = run();
  done.catch(() => {}); // after a newer generation its failure is nobody's
  return { generation: held.snapshot.generation, done, stop };
}
