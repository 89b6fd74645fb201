import { mapBounded } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import { createPinList, type PinList } from './index-granules.ts';
import type { IndexedFilter } from './indexed-filter.ts';
import { gatherIds, type KnownIds } from './known-ids.ts';
import { findNamed, namedIds } from './named-rows.ts';
import { needsOf } from './query-needs.ts';
import type { FilterPlan, QueryPlan } from './query-plan.ts';
import type { HeldSnapshot } from './replica.ts';
import type { ResidentBlock } from './resident-block.ts';

/** What a search job takes beside its plan, and what it holds until it has ended: the snapshot and what was looked up for it. */
export interface PreparedSearch {
  readonly indexed: readonly (IndexedFilter | undefined)[];
  /** Per block the ids of the only rows that can be met, where its ids are not in memory and need not be. */
  readonly known: readonly (KnownIds | undefined)[];
  /** Segments of which no row matches, by the ranges of their attributes. */
  readonly prunedSegmentCount: number;
  readonly hold: Disposable;
}

/** Blocks whose indexes are read at once. */
const concurrentBlockCountMax = 8;

/**
 * Brings what a plan needs into the arena, and looks up what indexes know of its filter, side by side. Rows that the filter names
 * by their ids are found first, so that of other segments nothing is read.
 */
export async function prepareSearch(
  held: HeldSnapshot,
  plan: QueryPlan,
  withRoom: <R>(load: () => Promise<R>) => Promise<R>,
  signal?: AbortSignal,
): Promise<PreparedSearch> {
  const { blocks, schema } = held.snapshot;
  const { filter } = plan;
  if (filter === undefined) {
    await withRoom(() => held.ensure(needsOf(schema, plan), undefined, signal));
    return { indexed: [], known: [], prunedSegmentCount: 0, hold: held.share() };
  }
  const pins = createPinList();
  const named = namedIds(plan);
  const found = named === undefined ? [] : await findNamed(held.snapshot, named, signal);
  const pruned = new Set(blocks.filter((block, i) => found[i]?.rows.length === 0 || !block.mayMatch(filter)));
  const isPruned = (block: ResidentBlock): boolean => pruned.has(block);
  const lookUp = withRoom(() => lookUpBlocks(blocks, filter, isPruned, pins, signal));
  const needs = needsOf(schema, plan);
  const ensure = withRoom(() => held.ensure(named === undefined ? needs : { ...needs, ids: 'none' }, isPruned, signal));
  const [lookedUp, ensured] = await Promise.allSettled([lookUp, ensure]);
  if (lookedUp.status === 'fulfilled' && ensured.status === 'fulfilled') {
    const known = blocks.map((block, i) => (isPruned(block) && !block.hasIds ? noIds(schema) : found[i]));
    return { indexed: lookedUp.value, known, prunedSegmentCount: pruned.size, hold: both(held.share(), pins) };
  }
  pins[Symbol.dispose]();
  throw lookedUp.status === 'rejected' ? lookedUp.reason : (ensured as PromiseRejectedResult).reason;
}

function noIds({ idKind }: Schema): KnownIds {
  return gatherIds(idKind, []);
}

const noRows: IndexedFilter = { kind: 'rows', rows: { kind: 'sets', sets: [] } };

async function lookUpBlocks(
  blocks: readonly ResidentBlock[],
  filter: FilterPlan,
  isPruned: (block: ResidentBlock) => boolean,
  pins: PinList,
  signal?: AbortSignal,
): Promise<readonly (IndexedFilter | undefined)[]> {
  return await mapBounded(
    blocks,
    concurrentBlockCountMax,
    async (block, _index, inner) => (isPruned(block) ? noRows : await block.lookUp(filter, pins, inner)),
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
