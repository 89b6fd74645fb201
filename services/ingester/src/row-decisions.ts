import { type Block, forEachCommonId, type IdColumn } from '@lagoon/format';
import { changedSince, type RowState, type Seen, seenOf } from './row-state.ts';

/** Whether the write applies to each of the ids that it names, and where their present rows lie. */
export interface RowDecisions {
  readonly seen: Seen;
  /** By index of the id; undefined: there is no such row. */
  readonly blocks: readonly (Block | undefined)[];
  readonly rows: Uint32Array;
  /** 1: applies. */
  readonly applies: Uint8Array;
  readonly appliedCount: number;
}

/** Whether the write applies to an id with this row, or none. */
export type DecideRow = (index: number, block: Block | undefined, row: number) => boolean;

/**
 * Decides for every id; with an earlier resolution only for those whose rows may have changed since, so it costs what others
 * wrote meanwhile. The very same object where nothing came out otherwise.
 */
export function decideRows(
  ids: IdColumn,
  state: RowState,
  decide: DecideRow,
  earlier: RowDecisions | undefined,
): RowDecisions {
  const changed = earlier === undefined ? undefined : changedSince(earlier.seen, state);
  if (earlier === undefined || changed === undefined) return decideAll(ids, state, decide);
  if (changed.length === 0) return earlier;
  const draft = {
    blocks: [...earlier.blocks],
    rows: earlier.rows.slice(),
    applies: earlier.applies.slice(),
  };
  let isSame = true;
  for (const column of changed) {
    const places = new Map<number, { readonly block: Block; readonly row: number }>();
    state.find(column, (at, block, row) => void places.set(at, { block, row }));
    forEachCommonId(ids, column, (index, at) => {
      const place = places.get(at);
      const row = place?.row ?? 0;
      const applies = decide(index, place?.block, row) ? 1 : 0;
      if (draft.blocks[index] === place?.block && draft.rows[index] === row && draft.applies[index] === applies) return;
      isSame = false;
      draft.blocks[index] = place?.block;
      draft.rows[index] = row;
      draft.applies[index] = applies;
    });
  }
  // Kept with what it saw first, so that the object stays the same; what came since is looked at again, which is as right.
  return isSame ? earlier : { ...draft, seen: seenOf(state), appliedCount: countOf(draft.applies) };
}

function decideAll(ids: IdColumn, state: RowState, decide: DecideRow): RowDecisions {
  const blocks = new Array<Block | undefined>(ids.count).fill(undefined);
  const rows = new Uint32Array(ids.count);
  const applies = new Uint8Array(ids.count);
  state.find(ids, (index, block, row) => {
    blocks[index] = block;
    rows[index] = row;
  });
  for (let index = 0; index < ids.count; index++) {
    applies[index] = decide(index, blocks[index], rows[index] as number) ? 1 : 0;
  }
  return { seen: seenOf(state), blocks, rows, applies, appliedCount: countOf(applies) };
}

function countOf(applies: Uint8Array): number {
  let count = 0;
  for (const one of applies) count += one;
  return count;
}
