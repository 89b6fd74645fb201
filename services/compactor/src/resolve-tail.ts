import {
  type Bitmap,
  type Block,
  compareIds,
  createBitmap,
  type DocumentId,
  type IdColumn,
  idAt,
  setBit,
} from '@lagoon/format';

/**
 * The newest word on every id of the tail: which rows survive, cut into pieces of bounded size by id, and which ids are
 * deleted in the end.
 */
export interface ResolvedTail {
  /** Ascending by id; no id is in two pieces. */
  readonly pieces: readonly TailPiece[];
  /** Ascending. */
  readonly deletedIds: readonly DocumentId[];
}

export interface TailPiece {
  readonly rowCount: number;
  /** Per block that has rows in the piece: its surviving rows. */
  readonly live: ReadonlyMap<Block, Bitmap>;
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

/** Ids between two looks at the clock. */
const breathEvery = 4_096;

/**
 * Merges the id columns of all blocks (oldest first, one kind of id) by a heap: O(n log b) for n ids in b blocks.
 * `breathe` is awaited now and then, so that the thread can do other work.
 */
export async function resolveTail(
  blocks: readonly Block[],
  pieceBytesMax: number,
  breathe: () => Promise<void>,
): Promise<ResolvedTail> {
  const heap = createSourceHeap(blocks.flatMap(sourcesOf));
  const pieces: { rowCount: number; live: Map<Block, Bitmap> }[] = [];
  const deletedIds: DocumentId[] = [];
  let winner: { readonly column: IdColumn; readonly row: number } | undefined;
  let pieceBytes = Number.POSITIVE_INFINITY;
  for (let count = 1; ; count++) {
    const source = heap.top();
    if (source === undefined) break;
    const { column, row } = source;
    if (winner === undefined || compareIds(winner.column, winner.row, column, row) !== 0) {
      winner = { column, row };
      if (source.isDelete) deletedIds.push(idAt(column, row));
      else {
        if (pieceBytes + source.rowBytes > pieceBytesMax) {
          pieces.push({ rowCount: 0, live: new Map() });
          pieceBytes = 0;
        }
        pieceBytes += source.rowBytes;
        keepRow(pieces.at(-1), source.block, row);
      }
    }
    heap.advance();
    if (count % breathEvery === 0) await breathe();
  }
  return { pieces, deletedIds };
}

function keepRow(piece: { rowCount: number; live: Map<Block, Bitmap> } | undefined, block: Block, row: number): void {
  if (piece === undefined) return;
  let live = piece.live.get(block);
  if (live === undefined) {
    live = createBitmap(block.rowCount);
    piece.live.set(block, live);
  }
  setBit(live, row);
  piece.rowCount++;
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
