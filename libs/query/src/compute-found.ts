import type { ComputedValues } from './job-block.ts';
import { needsOf, noNeeds, type QueryNeeds } from './query-needs.ts';
import type { QueryPlan, RankPlan } from './query-plan.ts';
import type { HeldSnapshot } from './replica.ts';
import type { SearchPool } from './search-pool.ts';
import type { RankedRows } from './top-rows.ts';

export interface ComputeDeps {
  readonly pool: SearchPool;
  readonly withRoom: <R>(load: () => Promise<R>) => Promise<R>;
}

/** The computed values of a plan for the rows that it found, in their order; by a job of its own, for it needs other parts of segments. */
export async function computeFound(
  { pool, withRoom }: ComputeDeps,
  held: HeldSnapshot,
  plan: QueryPlan,
  { blocks: positions, rows }: RankedRows,
  affinity: string | undefined,
  signal?: AbortSignal,
): Promise<readonly ComputedValues[]> {
  if (plan.values.length === 0 || rows.length === 0) return [];
  const { snapshot } = held;
  const rank: RankPlan = { kind: 'values', values: plan.values, rows: { blocks: positions, rows } };
  const needs = needsOf(snapshot.schema, { rank, filter: undefined, projection: [], limitPer: undefined });
  const positionsMeant = new Set(positions);
  const meant = new Set(snapshot.blocks.filter((_, position) => positionsMeant.has(position)));
  /** Statistics are of all texts. */
  const others: QueryNeeds = { ...noNeeds, ids: needs.texts.size === 0 ? 'none' : 'live', texts: needs.texts };
  await withRoom(() => held.ensure(needs, (block) => (meant.has(block) ? undefined : others), signal));
  const request = {
    ...{ rank, filter: undefined, indexed: [], known: [], limit: rows.length, traced: false },
    ...{ blocks: snapshot.locations, snapshotId: snapshot.snapshotId, affinity },
  };
  const { values = [] } = await pool.run(request, held.share(), signal);
  return values;
}
