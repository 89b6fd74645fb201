import type { SearchOutcome } from './job-block.ts';
import type { QueryPlan } from './query-plan.ts';
import type { PlanStep } from './query-result.ts';
import type { Snapshot } from './snapshot.ts';

/** What a traced query did, step by step: the ranking first, then what the search tells of each block, by its object. */
export function planSteps(snapshot: Snapshot, plan: QueryPlan, outcome: SearchOutcome): readonly PlanStep[] {
  const { rank, limit, filter } = plan;
  const recall = rank.kind === 'vector' && rank.recall !== undefined ? { recall: rank.recall } : {};
  const first: PlanStep = {
    step: 'rank',
    target: '',
    facts: {
      by: rank.kind,
      ...('attribute' in rank ? { attribute: rank.attribute } : {}),
      ...recall,
      limit,
      filtered: filter === undefined ? 'no' : 'yes',
      generation: snapshot.generation,
      blocks: snapshot.locations.length,
      live_rows: snapshot.liveRowCount,
    },
  };
  const lines = (outcome.trace ?? []).map(({ step, block, facts }): PlanStep => {
    const location = block === undefined ? undefined : snapshot.locations[block];
    return { step, target: location?.contentId ?? '', facts };
  });
  return [first, ...lines];
}
