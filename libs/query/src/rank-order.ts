import { nextBit } from '@lagoon/format';
import { columnOf } from './column-filter.ts';
import { countAdmitted, createIdOrder, type JobBlock, type SearchOutcome } from './job-block.ts';
import { compareKeys, createKeyPrefix, type OrderColumn } from './order-key.ts';
import type { OrderKeyPlan, RankPlan } from './query-plan.ts';
import { createTopRows, type RowOrder } from './top-rows.ts';

type OrderPlan = Extract<RankPlan, { readonly kind: 'order' }>;

/**
 * Admitted rows in the order of the keys, then of the id. The first key's prefix, a number that never contradicts the order, is
 * the score, so whole keys are compared only where prefixes are equal.
 */
export function rankByOrder(plan: OrderPlan, limit: number, blocks: readonly JobBlock[]): SearchOutcome {
  const columns = blocks.map((block) => plan.keys.map((key) => orderColumn(block, key)));
  const top = createTopRows(limit, createKeyOrder(plan.keys, columns, createIdOrder(blocks)));
  const [first] = plan.keys;
  let scoredRowCount = 0;
  for (const [index, { block, admitted }] of blocks.entries()) {
    scoredRowCount += countAdmitted(block, admitted);
    const prefix = createKeyPrefix(columns[index]?.[0]);
    const sign = first?.descending === true ? -1 : 1;
    if (admitted === undefined) {
      for (let row = 0; row < block.rowCount; row++) top.offer(sign * prefix(row), index, row);
    } else {
      for (let row = nextBit(admitted, 0); row >= 0; row = nextBit(admitted, row + 1)) {
        top.offer(sign * prefix(row), index, row);
      }
    }
  }
  return { top: top.takeSorted(), scoredRowCount };
}

function orderColumn({ block }: JobBlock, key: OrderKeyPlan): OrderColumn {
  if (key.scalar === undefined) return { kind: 'id', block };
  const column = columnOf(block, key.attribute, { kind: 'scalar', scalar: key.scalar });
  return column?.kind === 'scalar' ? { kind: 'scalar', column } : { kind: 'missing' };
}

/** Null is below every value: first ascending, last descending. */
function createKeyOrder(
  keys: readonly OrderKeyPlan[],
  columns: readonly (readonly OrderColumn[])[],
  idOrder: RowOrder,
): RowOrder {
  return (blockA, rowA, blockB, rowB) => {
    for (const [index, key] of keys.entries()) {
      const a = columns[blockA]?.[index] ?? missing;
      const b = columns[blockB]?.[index] ?? missing;
      const order = compareKeys(a, rowA, b, rowB);
      if (order !== 0) return key.descending ? -order : order;
    }
    return idOrder(blockA, rowA, blockB, rowB);
  };
}

const missing: OrderColumn = { kind: 'missing' };
