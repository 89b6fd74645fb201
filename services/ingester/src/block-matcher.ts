import type { Block } from '@lagoon/format';
import { createFilterContext, createRowMatcher, type FilterPlan, type RowMatcher } from '@lagoon/query';

/** Whether rows of any block match the filter; what a block needs for it is made once. */
export function createBlockMatcher(filter: FilterPlan): (block: Block, row: number) => boolean {
  const context = createFilterContext();
  const matchers = new Map<Block, RowMatcher>();
  return (block, row) => {
    let matches = matchers.get(block);
    if (matches === undefined) {
      matches = createRowMatcher(context, block, filter);
      matchers.set(block, matches);
    }
    return matches(row);
  };
}
