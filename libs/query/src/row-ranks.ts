import type { Block } from '@lagoon/format';

/**
 * A block as queries see it. Its ids always ascend; where its rows lie in another order (a segment in cluster order), the id of
 * row r is number `ranks[r]` of the ids. Who goes from rows to ids or back comes through here.
 */
export interface RowBlock extends Block {
  readonly ranks?: RowRanks | undefined;
}

/** Two permutations, each the other's inverse. */
export interface RowRanks {
  /** Rank of its id, per row. */
  readonly rankOf: Uint32Array;
  /** Row, per rank. */
  readonly rowOf: Uint32Array;
}

/** The number of the row's id among the ids of its block. */
export function rankOfRow({ ranks }: RowBlock, row: number): number {
  return ranks === undefined ? row : (ranks.rankOf[row] as number);
}

/** The row of the id with that number. */
export function rowOfRank({ ranks }: RowBlock, rank: number): number {
  return ranks === undefined ? rank : (ranks.rowOf[rank] as number);
}

/** The inverse of a permutation of 0 to n − 1. */
export function invert(permutation: Uint32Array): Uint32Array {
  const inverse = new Uint32Array(permutation.length);
  for (let i = 0; i < permutation.length; i++) inverse[permutation[i] as number] = i;
  return inverse;
}
