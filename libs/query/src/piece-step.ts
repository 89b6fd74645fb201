import type { NearestLeaves } from '@lagoon/vector';
import type { AnnAccess } from './ann-plan.ts';
import type { StoredPlace } from './stored-segment.ts';

/**
 * What a search by pieces (`search-by-pieces`) asks of a search thread, step by step. A _cold_ block is a segment of which only
 * the leaves are in memory. Plain data, all of it.
 */
export type PieceStep =
  /** Which leaves of all blocks are visited. */
  | { readonly kind: 'choose'; readonly cold: readonly boolean[] }
  /** Searches what is in memory, and finds candidates of the cold blocks by their pieces. */
  | {
      readonly kind: 'score';
      readonly cold: readonly boolean[];
      readonly choice: LeafChoice;
      /** Per block, then per leaf that is visited; empty: of a block that is not cold. */
      readonly pieces: readonly (readonly StoredPlace[])[];
    }
  /** Exact distances of vectors that lie one behind the other. */
  | { readonly kind: 'compare'; readonly place: StoredPlace; readonly rowCount: number };

export interface LeafChoice {
  readonly access: AnnAccess;
  /** Per block. */
  readonly visited: readonly (VisitedLeaves | undefined)[];
  /** Rows of the cold blocks that match, by what is known: the tail may have killed some of them. */
  readonly coldMatchCount: number;
}

/** Of one block; the nearest first. */
export interface VisitedLeaves {
  readonly leaves: Uint32Array;
  readonly distances: NearestLeaves['distances'];
  /** Positions [from, to) of each leaf. */
  readonly froms: Uint32Array;
  readonly tos: Uint32Array;
  /** Where the codes of each begin and end in their section; undefined: lists of vectors. */
  readonly codes: readonly { readonly start: number; readonly end: number }[] | undefined;
  /** Of an exact search: the matching rows, and no leaves. */
  readonly rows: Uint32Array | undefined;
}

/** Candidates of one cold block. */
export interface PieceCandidates {
  readonly rows: Uint32Array;
  /** Exact; undefined: their vectors are to be read. */
  readonly distances: Float32Array | undefined;
}

export interface PieceOutcome {
  readonly choice?: LeafChoice;
  /** Per block. */
  readonly candidates?: readonly (PieceCandidates | undefined)[];
  readonly distances?: Float32Array;
}
