import { mapBounded } from '@lagoon/base';
import { createPinList, type PinList } from './index-granules.ts';
import type { IndexedFilter } from './indexed-filter.ts';
import { needsOf } from './query-needs.ts';
import type { QueryPlan } from './query-plan.ts';
import type { HeldSnapshot } from './replica.ts';

/** What a search job takes beside its plan, and what it holds until it has ended: the snapshot and what was looked up for it. */
export interface PreparedSearch {
  readonly indexed: readonly (IndexedFilter | undefined)[];
  readonly hold: Disposable;
}

/** Blocks whose indexes are read at once. */
const concurrentBlockCountMax = 8;

/** Brings what a plan needs into the arena, and looks up what indexes know of its filter, side by side. */
export async function prepareSearch(
  held: HeldSnapshot,
  plan: QueryPlan,
  withRoom: <R>(load: () => Promise<R>) => Promise<R>,
  signal?: AbortSignal,
): Promise<PreparedSearch> {
  const pins = createPinList();
  const lookUp = withRoom(() => lookUpBlocks(held, plan, pins, signal));
  const ensure = withRoom(() => held.ensure(needsOf(held.snapshot.schema, plan), signal));
  const [lookedUp, ensured] = await Promise.allSettled([lookUp, ensure]);
  if (lookedUp.status === 'fulfilled' && ensured.status === 'fulfilled') {
    return { indexed: lookedUp.value, hold: both(held.share(), pins) };
  }
  pins[Symbol.dispose]();
  throw lookedUp.status === 'rejected' ? lookedUp.reason : (ensured as PromiseRejectedResult).reason;
}

async function lookUpBlocks(
  { snapshot: { blocks } }: HeldSnapshot,
  { filter }: QueryPlan,
  pins: PinList,
  signal?: AbortSignal,
): Promise<readonly (IndexedFilter | undefined)[]> {
  if (filter === undefined) return [];
  return await mapBounded(
    blocks,
    concurrentBlockCountMax,
    (block, _index, inner) => block.lookUp(filter, pins, inner),
    signal,
  );
}

function both(a: Disposable, b: Disposable): Disposable {
  return {
    [Symbol.dispose]: () => {
      a[Symbol.dispose]();
      b[Symbol.dispose]();
    },
  };
}
