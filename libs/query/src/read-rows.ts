import { assert } from '@lagoon/base';
import { idAt, valueAt } from '@lagoon/format';
import type { QueryPlan } from './query-plan.ts';
import type { ResultAttribute, ResultRow } from './query-result.ts';
import type { ResidentBlock } from './resident-block.ts';
import type { Snapshot } from './snapshot.ts';
import type { RankedRows } from './top-rows.ts';

/** The answered rows as values: the only place where a query makes objects per row. */
export function readRows(snapshot: Snapshot, plan: QueryPlan, top: RankedRows): ResultRow[] {
  const rows: ResultRow[] = [];
  for (let i = 0; i < top.rows.length; i++) {
    const resident = snapshot.blocks[top.blocks[i] as number];
    assert(resident !== undefined, 'a ranked row is of a block of its snapshot');
    const row = top.rows[i] as number;
    const id = idAt(resident.block.ids, row);
    const attributes = readAttributes(snapshot, resident, row, plan.projection);
    rows.push(plan.rank.kind === 'order' ? { id, attributes } : { id, dist: top.scores[i] as number, attributes });
  }
  return rows;
}

function readAttributes(
  snapshot: Snapshot,
  { block }: ResidentBlock,
  row: number,
  names: readonly string[],
): ResultAttribute[] {
  return names.map((name) => {
    const type = snapshot.schema.attributes.get(name)?.type;
    assert(type !== undefined, 'a projected attribute is in the schema');
    const column = block.columns.get(name)?.column;
    return { name, type, value: column === undefined ? null : valueAt(column, row) };
  });
}
