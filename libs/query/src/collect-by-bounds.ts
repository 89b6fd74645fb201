import { getBit } from '@lagoon/format';
import { forEachRowInWindow, type ListCursor, moveToWindow, type RowSink } from '@lagoon/text';
import type { ScoreNode } from './score-node.ts';

export interface BoundedSearch {
  readonly root: ScoreNode;
  /** Of the expression's terms; `termBounds[i]` bounds what the i-th adds. */
  readonly cursors: readonly ListCursor[];
  readonly termBounds: number[];
  readonly rowCount: number;
  readonly admitted: Uint8Array | undefined;
  readonly sink: RowSink;
}

const windowRowCount = 4_096;

/**
 * MaxScore for any expression: in a window of rows, terms without which no row can reach the score are essential, as the bound
 * of the whole expression says; only rows that hold one are looked at. Where the expression reaches the score without any term
 * (by an attribute, a filter), all admitted rows are.
 */
export function collectByBounds(search: BoundedSearch): {
  readonly scoredRowCount: number;
  readonly exhaustiveRowCount: number;
} {
  const { root, cursors, termBounds, rowCount, admitted, sink } = search;
  const touched = new Uint8Array(windowRowCount);
  const order = cursors.map((_, i) => i);
  let scoredRowCount = 0;
  let exhaustiveRowCount = 0;
  const offer = (row: number): void => {
    if (admitted !== undefined && !getBit(admitted, row)) return;
    scoredRowCount++;
    sink.offer(row);
  };
  /** How many terms, in `order`, cannot reach the score together; -1 where none is needed to. */
  const countInessential = (): number => {
    termBounds.fill(0);
    if (!(root.upper() < sink.scoreMin)) return -1;
    order.sort((a, b) => boundOf(a) - boundOf(b));
    for (const [count, index] of order.entries()) {
      termBounds[index] = boundOf(index);
      if (!(root.upper() < sink.scoreMin)) return count;
    }
    return order.length;
  };
  const boundOf = (index: number): number => (cursors[index] as ListCursor).windowBound;

  for (let i = 0; i < cursors.length; i++) termBounds[i] = 0;
  for (let from = 0; from < rowCount; from += windowRowCount) {
    const to = Math.min(from + windowRowCount, rowCount);
    for (const cursor of cursors) moveToWindow(cursor, from, to);
    const inessential = countInessential();
    if (inessential < 0) {
      const before = scoredRowCount;
      for (let row = from; row < to; row++) offer(row);
      exhaustiveRowCount += scoredRowCount - before;
      continue;
    }
    for (const index of order.slice(inessential)) {
      forEachRowInWindow(cursors[index] as ListCursor, from, to, (row) => {
        touched[row - from] = 1;
      });
    }
    if (inessential === order.length) continue;
    for (let row = from; row < to; row++) {
      if (touched[row - from] === 0) continue;
      touched[row - from] = 0;
      offer(row);
    }
  }
  return { scoredRowCount, exhaustiveRowCount };
}
