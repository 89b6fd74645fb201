import { type Column, isNull, type ScalarType } from '@lagoon/format';
import { createIndexEncoder, type EncodedIndex } from './attribute-index.v1.ts';
import { forEachKey, keyWidthOf } from './value-key.ts';
import { createValueTable } from './value-table.ts';

/**
 * Collects the values of one attribute, piece by piece in the order of the rows, and writes their index. Memory: the distinct
 * values and eight bytes per value.
 */
export interface AttributeIndexBuilder {
  /** The next rows; their number is that of the segment's rows so far. */
  add(column: Column | undefined, rowCount: number): void;
  /** Undefined where an index would be about as large as the values themselves: long texts, hardly one twice. */
  finish(): EncodedIndex | undefined;
}

/** Bytes of distinct values per value above which there is no index. */
const keyBytesPerValueMax = 128;

export function createAttributeIndexBuilder(scalar: ScalarType): AttributeIndexBuilder {
  const table = createValueTable();
  const numbers = createGrowingList();
  const rows = createGrowingList();
  const nullRows = createGrowingList();
  let rowCount = 0;
  return {
    add: (column, count) => {
      for (let row = 0; row < count; row++) {
        if (column === undefined || isNull(column.nulls, row)) nullRows.push(rowCount + row);
      }
      if (column !== undefined && column.kind !== 'vector') {
        forEachValue(column, count, (row, bytes, start, end) => {
          numbers.push(table.add(bytes, start, end));
          rows.push(rowCount + row);
        });
      }
      rowCount += count;
    },
    finish: () => {
      if (table.byteCount > keyBytesPerValueMax * numbers.values.length) return undefined;
      const { ranks, order } = table.sort();
      const grouped = groupRows(numbers.values, rows.values, ranks);
      const encoder = createIndexEncoder(keyWidthOf(scalar), nullRows.values);
      for (let rank = 0; rank < order.length; rank++) {
        const from = grouped.starts[rank] as number;
        const to = dropRepeated(grouped.rows, from, grouped.starts[rank + 1] as number);
        encoder.add(table.key(order[rank] as number), grouped.rows, from, to);
      }
      return encoder.finish();
    },
  };
}

type KeyVisitor = (row: number, bytes: Uint8Array, start: number, end: number) => void;

/** The keys of the rows that have a value, of an array each element. */
export function forEachValue(column: Exclude<Column, { kind: 'vector' }>, rowCount: number, visit: KeyVisitor): void {
  if (column.kind === 'scalar') {
    forEachKey(column, 0, rowCount, (row, bytes, start, end) => {
      if (!isNull(column.nulls, row)) visit(row, bytes, start, end);
    });
    return;
  }
  const { rowOffsets, elements } = column;
  let row = 0;
  forEachKey(elements, rowOffsets[0] as number, rowOffsets[rowCount] as number, (index, bytes, start, end) => {
    while (index >= (rowOffsets[row + 1] as number)) row++;
    visit(row, bytes, start, end);
  });
}

/** Rows by the rank of their value; those of a rank stay in their order. */
function groupRows(numbers: Uint32Array, rows: Uint32Array, ranks: Uint32Array) {
  const starts = new Uint32Array(ranks.length + 2);
  for (const number of numbers) (starts[(ranks[number] as number) + 2] as number)++;
  for (let rank = 0; rank < ranks.length; rank++) (starts[rank + 2] as number) += starts[rank + 1] as number;
  const grouped = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const slot = (ranks[numbers[i] as number] as number) + 1;
    grouped[starts[slot] as number] = rows[i] as number;
    (starts[slot] as number)++;
  }
  return { rows: grouped, starts };
}

/** An array may hold an element twice. Returns the new end. */
function dropRepeated(rows: Uint32Array, from: number, to: number): number {
  let end = from + 1;
  for (let i = from + 1; i < to; i++) {
    if (rows[i] !== rows[end - 1]) rows[end++] = rows[i] as number;
  }
  return end;
}

interface GrowingList {
  push(value: number): void;
  /** A view of what is there. */
  readonly values: Uint32Array;
}

function createGrowingList(): GrowingList {
  let array = new Uint32Array(1024);
  let count = 0;
  return {
    push: (value) => {
      if (count === array.length) {
        const larger = new Uint32Array(2 * count);
        larger.set(array);
        array = larger;
      }
      array[count++] = value;
    },
    get values() {
      return array.subarray(0, count);
    },
  };
}
