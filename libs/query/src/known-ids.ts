import { buildIds, compareIds, type DocumentId, type IdColumn, type IdKind, idAt, lowerBound } from '@lagoon/format';
import type { ResidentBlock } from './resident-block.ts';
import { type RowBlock, rankOfRow } from './row-ranks.ts';

/**
 * Of a segment whose ids are not in memory: those of the only rows that a query can meet. Ids ascend; `rows[i]` has id i. Plain
 * data, so that it crosses to a worker as it is.
 */
export interface KnownIds {
  readonly ids: IdColumn;
  readonly rows: Uint32Array;
}

/** One row of which the id was read: number `index` of the column. */
export interface FoundId {
  readonly ids: IdColumn;
  readonly index: number;
  readonly row: number;
}

/** Distinct rows. */
export function gatherIds(idKind: IdKind, found: readonly FoundId[]): KnownIds {
  const sorted = found.toSorted((a, b) => compareIds(a.ids, a.index, b.ids, b.index));
  const ids = buildIds(
    idKind,
    sorted.map(({ ids: column, index }) => idAt(column, index)),
  );
  return { ids, rows: Uint32Array.from(sorted, ({ row }) => row) };
}

/** The block as if it had the ids of these rows alone: right for whoever asks of no other row. */
export function withKnownIds(block: RowBlock, { ids, rows }: KnownIds): RowBlock {
  const { rowCount, idKind, deletes, columns, logicalBytes, bytes } = block;
  const rankOf = new Uint32Array(rows.length === 0 ? 0 : rowCount);
  for (let rank = 0; rank < rows.length; rank++) rankOf[rows[rank] as number] = rank;
  return { rowCount, idKind, deletes, columns, logicalBytes, bytes, ids, ranks: { rankOf, rowOf: rows } };
}

/** The id of a row that a query has met. */
export function idOfRow({ block }: ResidentBlock, known: KnownIds | undefined, row: number): DocumentId {
  const rank = known?.rows.indexOf(row) ?? -1;
  return known !== undefined && rank >= 0 ? idAt(known.ids, rank) : idAt(block.ids, rankOfRow(block, row));
}

/** Whether one of the blocks, all of the tail, writes or deletes the id. */
export function isSuperseded(killers: readonly ResidentBlock[], ids: IdColumn, index: number): boolean {
  return killers.some(({ block }) => hasId(block.ids, ids, index) || hasId(block.deletes, ids, index));
}

function hasId(sorted: IdColumn, ids: IdColumn, index: number): boolean {
  const at = lowerBound(sorted, ids, index, 0);
  return at < sorted.count && compareIds(sorted, at, ids, index) === 0;
}
