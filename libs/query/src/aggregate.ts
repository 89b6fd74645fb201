import { nextBit, queryLimits } from '@lagoon/format';
import { type Accumulator, createAccumulator } from './aggregate-accumulator.ts';
import { createGroupTree, type GroupTree } from './aggregate-groups.ts';
import { createKeyDictionary, type KeyDictionary } from './aggregate-keys.ts';
import { columnOf } from './column-filter.ts';
import { countAdmitted, type JobBlock, type SearchOutcome } from './job-block.ts';
import type { RankPlan } from './query-plan.ts';
import type { AggregateGroup } from './query-result.ts';
import { noRankedRows } from './top-rows.ts';

type AggregationPlan = Extract<RankPlan, { readonly kind: 'aggregate' }>;

/**
 * Counts and sums over the admitted rows: one group without keys, else the first `limit` groups in the order of their keys.
 * The same numbers in every layout. `invalid_argument` past the bound of groups.
 */
export function aggregate(plan: AggregationPlan, limit: number, blocks: readonly JobBlock[]): SearchOutcome {
  const keys = plan.groupBy.map(({ type }) => createKeyDictionary(type.scalar));
  const tree = createGroupTree(keys.length, queryLimits.groupCountMax);
  const accumulators = plan.aggregates.map(createAccumulator);
  let scoredRowCount = 0;
  for (const block of blocks) {
    scoredRowCount += countAdmitted(block.block, block.admitted);
    addBlock(plan, block, keys, tree, accumulators);
  }
  const paths = tree.paths().map((codes, group) => ({ codes, group }));
  paths.sort((a, b) => comparePaths(keys, a.codes, b.codes));
  const groups = paths.slice(0, limit).map(
    ({ codes, group }): AggregateGroup => ({
      keys: keys.map((key, i) => key.valueOf(codes[i] as number)),
      values: accumulators.map((accumulator) => accumulator.valueOf(group)),
    }),
  );
  return { top: noRankedRows, scoredRowCount, groups };
}

function addBlock(
  plan: AggregationPlan,
  { block, admitted }: JobBlock,
  dictionaries: readonly KeyDictionary[],
  tree: GroupTree,
  accumulators: readonly Accumulator[],
): void {
  const adders = plan.aggregates.map(({ attribute, type }, i) =>
    (accumulators[i] as Accumulator).over(
      attribute === undefined || type === undefined ? 'rows' : columnOf(block, attribute, type),
    ),
  );
  const keys = plan.groupBy.map(({ attribute, type }, i) =>
    (dictionaries[i] as KeyDictionary).over(columnOf(block, attribute, type)),
  );
  const visit = (row: number, level: number, node: number): void => {
    const key = keys[level];
    if (key === undefined) {
      for (const add of adders) add(node, row);
      return;
    }
    const codes = key(row);
    for (let i = 0; i < codes.length; i++) visit(row, level + 1, tree.child(level, node, codes[i] as number));
  };
  if (admitted === undefined) for (let row = 0; row < block.rowCount; row++) visit(row, 0, 0);
  else for (let row = nextBit(admitted, 0); row >= 0; row = nextBit(admitted, row + 1)) visit(row, 0, 0);
}

function comparePaths(keys: readonly KeyDictionary[], a: readonly number[], b: readonly number[]): number {
  for (const [i, key] of keys.entries()) {
    const order = key.compare(a[i] as number, b[i] as number);
    if (order !== 0) return order;
  }
  return 0;
}
