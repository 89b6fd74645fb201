import type { Block, IdColumn, NamedColumn } from './column.ts';
import { type GatherPlan, gatherColumn, gatherIds, planOfOrder } from './gather.ts';
import type { AttributeType } from './schema.ts';

/** Copies of the rows [from, to) of columns. */
export function sliceColumns(columns: Iterable<NamedColumn>, from: number, to: number): NamedColumn[] {
  const plan = planOfRange(from, to);
  return [...columns].map(({ name, type, column }) => ({ name, type, column: gatherColumn(type, [column], plan) }));
}

/** Copies of the ids [from, to). */
export function sliceIds(ids: IdColumn, from: number, to: number): IdColumn {
  return gatherIds(ids.idKind, [ids], planOfRange(from, to));
}

/** Copies of columns with their rows in another order: row r of the result is row `order[r]`. */
export function reorderColumns(columns: Iterable<NamedColumn>, order: Uint32Array): NamedColumn[] {
  const plan = planOfOrder(order);
  return [...columns].map(({ name, type, column }) => ({ name, type, column: gatherColumn(type, [column], plan) }));
}

/** The columns of all blocks, one below the other, united by name; one type per name. Memory: the result. */
export function concatenateColumns(blocks: readonly Pick<Block, 'rowCount' | 'columns'>[]): NamedColumn[] {
  const types = new Map<string, AttributeType>();
  for (const block of blocks) for (const { name, type } of block.columns.values()) types.set(name, type);
  const counts = blocks.map((block) => block.rowCount);
  const plan: GatherPlan = {
    runCount: blocks.length,
    source: Uint32Array.from(counts, (_, index) => index),
    start: new Uint32Array(blocks.length),
    length: Uint32Array.from(counts),
    rowCount: counts.reduce((sum, count) => sum + count, 0),
  };
  return [...types].map(([name, type]) => {
    const sources = blocks.map((block) => block.columns.get(name)?.column);
    return { name, type, column: gatherColumn(type, sources, plan) };
  });
}

/** The numbers of rows as ids, for blocks whose rows have no ids of their own. */
export function rowNumbers(from: number, count: number): IdColumn {
  const values = new BigUint64Array(count);
  for (let row = 0; row < count; row++) values[row] = BigInt(from + row);
  return { idKind: 'u64', count, values };
}

function planOfRange(from: number, to: number): GatherPlan {
  return {
    runCount: 1,
    source: Uint32Array.of(0),
    start: Uint32Array.of(from),
    length: Uint32Array.of(to - from),
    rowCount: to - from,
  };
}
