import { type Bitmap, createBitmap, setBit } from './bitmap.ts';
import type { Block, IdColumn } from './column.ts';
import type { DocumentId } from './document-id.ts';
import { encodeBlock } from './encode-block.ts';
import { compareIds, idAt } from './id-column.ts';
import { mergeBlocks } from './merge-blocks.ts';
import type { Schema } from './schema.ts';

/** The newest word on every id of blocks that apply one after the other. */
export interface NewestRows {
  /** Surviving rows, cut by id into pieces of bounded size; ascending, no id in two. What `mergeBlocks` takes. */
  readonly pieces: readonly NewestPiece[];
  /** Ids that are deleted in the end, ascending. */
  readonly deletedIds: readonly DocumentId[];
}

export interface NewestPiece {
  readonly rowCount: number;
  /** Of each block that has rows in the piece: those that survive. */
  readonly live: ReadonlyMap<Block, Bitmap>;
}

/** A merge that can be left and taken up again, so that a long one need not keep the thread. */
export interface NewestRowsMerge {
  /** Goes on for so many ids; false when it is done. */
  step(idCountMax: number): boolean;
  /** Whole once `step` has returned false. */
  readonly result: NewestRows;
}

interface Source {
  readonly block: Block;
  readonly column: IdColumn;
  readonly isDelete: boolean;
  /** Newer blocks have higher ranks. */
  readonly rank: number;
  /** Average bytes of a row. */
  readonly rowBytes: number;
  row: number;
}

/**
 * Merges the ids and deletes of all blocks (oldest first, one kind of id) by a heap: O(n log b) for n ids in b blocks.
 * A piece holds about `pieceBytesMax`, by the average size of a row in its block.
 */
export function createNewestRowsMerge(blocks: readonly Block[], pieceBytesMax: number): NewestRowsMerge {
  const heap = createSourceHeap(blocks.flatMap(sourcesOf));
  const pieces: { rowCount: number; live: Map<Block, Bitmap> }[] = [];
  const deletedIds: DocumentId[] = [];
  let winner: { readonly column: IdColumn; readonly row: number } | undefined;
  let pieceBytes = 0;

  const keepRow = ({ block, row, rowBytes }: Source): void => {
    if (pieces.length === 0 || pieceBytes + rowBytes > pieceBytesMax) {
      pieces.push({ rowCount: 0, live: new Map() });
      pieceBytes = 0;
    }
    pieceBytes += rowBytes;
    const piece = pieces.at(-1);
    if (piece === undefined) return;
    let live = piece.live.get(block);
    if (live === undefined) {
      live = createBitmap(block.rowCount);
      piece.live.set(block, live);
    }
    setBit(live, row);
    piece.rowCount++;
  };

  return {
    step: (idCountMax) => {
      for (let count = 0; count < idCountMax; count++) {
        const source = heap.top();
        if (source === undefined) return false;
        const { column, row } = source;
        if (winner === undefined || compareIds(winner.column, winner.row, column, row) !== 0) {
          winner = { column, row };
          if (source.isDelete) deletedIds.push(idAt(column, row));
          else keepRow(source);
        }
        heap.advance();
      }
      return heap.top() !== undefined;
    },
    result: { pieces, deletedIds },
  };
}

/**
 * Few blocks that say the same as the given ones applied in order: all surviving rows in one, all deletes in another.
 * For many small blocks; costs a copy of their rows. The blocks are of the schema's types.
 */
export function combineBlocks(blocks: readonly Block[], schema: Schema): Uint8Array[] {
  const merge = createNewestRowsMerge(blocks, Number.POSITIVE_INFINITY);
  while (merge.step(Number.POSITIVE_INFINITY));
  const { pieces, deletedIds } = merge.result;
  const combined = pieces.map((piece) => mergeBlocks([...piece.live].map(([block, live]) => ({ block, live }))));
  if (deletedIds.length > 0) {
    combined.push(encodeBlock({ idKind: schema.idKind, ids: [], deletes: deletedIds, columns: [] }));
  }
  return combined;
}

function sourcesOf(block: Block, rank: number): Source[] {
  const rowBytes = block.rowCount === 0 ? 0 : block.bytes.byteLength / block.rowCount;
  const sources: Source[] = [];
  if (block.rowCount > 0) sources.push({ block, column: block.ids, isDelete: false, rank, rowBytes, row: 0 });
  if (block.deletes.count > 0) sources.push({ block, column: block.deletes, isDelete: true, rank, rowBytes, row: 0 });
  return sources;
}

interface SourceHeap {
  /** The source with the smallest id, of equal ids the newest. */
  top(): Source | undefined;
  /** Moves the top to its next id. */
  advance(): void;
}

function createSourceHeap(heap: Source[]): SourceHeap {
  const isBefore = (a: Source, b: Source): boolean => {
    const order = compareIds(a.column, a.row, b.column, b.row);
    return order !== 0 ? order < 0 : a.rank > b.rank;
  };
  const siftDown = (from: number): void => {
    let at = from;
    const source = heap[at];
    if (source === undefined) return;
    for (;;) {
      let child = 2 * at + 1;
      let least = heap[child];
      if (least === undefined) return;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, least)) {
        least = right;
        child++;
      }
      if (!isBefore(least, source)) return;
      heap[at] = least;
      heap[child] = source;
      at = child;
    }
  };
  for (let at = (heap.length >> 1) - 1; at >= 0; at--) siftDown(at);
  return {
    top: () => heap[0],
    advance: () => {
      const top = heap[0];
      if (top === undefined) return;
      top.row++;
      if (top.row >= top.column.count) {
        const last = heap.pop();
        if (last !== undefined && heap.length > 0) heap[0] = last;
      }
      siftDown(0);
    },
  };
}
