import { mapBounded } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import { createPinList, type PinList } from './acquire-parts.ts';
import type { IndexedFilter } from './indexed-filter.ts';
import { gatherIds, type KnownIds } from './known-ids.ts';
import { findNamed, namedIds } from './named-rows.ts';
import { needsOf, noNeeds, type QueryNeeds } from './query-needs.ts';
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
  cold: ReadonlySet<ResidentBlock> = new Set(),
): Promise<PreparedSearch> {
  const { blocks, schema } = held.snapshot;
  const { filter } = plan;
  const needs = needsOf(schema, plan);
  const ensure = (wanted: QueryNeeds, isPruned: (block: ResidentBlock) => boolean): Promise<void> =>
    withRoom(() => held.ensure(...needsByBlock(wanted, plan, cold, isPruned), signal));
  if (filter === undefined) {
    await ensure(needs, () => false);
    return { indexed: [], known: [], prunedSegmentCount: 0, hold: held.share() };
  }
  const pins = createPinList();
  const named = namedIds(plan);
  const found = named === undefined ? [] : await findNamed(held.snapshot, named, signal);
  const pruned = new Set(blocks.filter((block, i) => found[i]?.rows.length === 0 || !block.mayMatch(filter)));
  const isPruned = (block: ResidentBlock): boolean => pruned.has(block);
  const [lookedUp, ensured] = await Promise.allSettled([
    withRoom(() => lookUpBlocks(blocks, filter, isPruned, pins, signal)),
    ensure(named === undefined ? needs : { ...needs, ids: 'none' }, isPruned),
  ]);
  if (lookedUp.status === 'fulfilled' && ensured.status === 'fulfilled') {
    const known = blocks.map((block, i) => (isPruned(block) && !block.hasIds ? noIds(schema) : found[i]));
    return { indexed: lookedUp.value, known, prunedSegmentCount: pruned.size, hold: both(held.share(), pins) };
  }
  pins[Symbol.dispose]();
  throw lookedUp.status === 'rejected' ? lookedUp.reason : (ensured as PromiseRejectedResult).reason;
}

/**
 * What is needed of most blocks, and of those that differ. Of the ones that are passed over only texts, which all statistics are of;
 * of cold ones only the leaves of what is ranked, and so of segments that come later.
 */
function needsByBlock(
  needs: QueryNeeds,
  { rank }: QueryPlan,
  cold: ReadonlySet<ResidentBlock>,
  isPruned: (block: ResidentBlock) => boolean,
): [QueryNeeds, (block: ResidentBlock) => QueryNeeds | undefined] {
  const texts: QueryNeeds = { ...noNeeds, ids: needs.texts.size === 0 ? 'none' : 'live', texts: needs.texts };
  if (cold.size === 0 || rank.kind !== 'vector') return [needs, (block) => (isPruned(block) ? texts : undefined)];
  const columns = new Set(needs.columns);
  columns.delete(rank.attribute);
  const leaves = new Set([rank.attribute]);
  const ofCold: QueryNeeds = { ...needs, ids: 'none', columns, lists: new Set(), leaves };
  const exceptOf = (block: ResidentBlock): QueryNeeds | undefined => {
    if (cold.has(block)) return undefined;
    return isPruned(block) ? texts : needs;
  };
  return [ofCold, exceptOf];
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
