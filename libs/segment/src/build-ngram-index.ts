import type { Column } from '@lagoon/format';
import { createIndexEncoder, type EncodedIndex, type IndexEncoder } from './attribute-index.v1.ts';
import { forEachValue } from './build-attribute-index.ts';
import { forEachGram, gramKey, gramWidth } from './ngrams.ts';

/** Rows of grams that are gathered at a time: 64 MiB. Texts are cut into their grams once for every so many. */
const gatheredRowCountMax = 16 << 20;

/**
 * The index of the n-grams of texts: gram → rows that have it, of an array in any element. Memory: a table of the distinct grams
 * and at most 64 MiB, whatever the texts.
 */
export function buildNgramIndex(column: Column, rowCount: number): EncodedIndex | undefined {
  if (column.kind === 'vector') return undefined;
  const table = createGramTable();
  const walk: GramWalk = (visit) => {
    const { lastRows } = table;
    lastRows.values.fill(0);
    forEachValue(column, rowCount, (row, bytes, start, end) =>
      forEachGram(bytes, start, end, (gram) => {
        const gramNumber = table.numberOf(gram);
        if (lastRows.values[gramNumber] === row + 1) return;
        lastRows.values[gramNumber] = row + 1;
        visit(gramNumber, row);
      }),
    );
  };
  const { counts } = table;
  walk((gramNumber) => {
    (counts.values[gramNumber] as number)++;
  });
  const order = table.sorted();
  const encoder = createIndexEncoder(gramWidth, new Uint32Array(0));
  for (let from = 0; from < order.length; ) {
    let to = from;
    let size = 0;
    while (to < order.length && (to === from || size + countOf(table, order, to) <= gatheredRowCountMax)) {
      size += countOf(table, order, to++);
    }
    writeGrams(encoder, table, order.subarray(from, to), size, walk);
    from = to;
  }
  return encoder.finish();
}

/** Calls back with the number of every gram of every row, once per row, rows ascending. */
type GramWalk = (visit: (gramNumber: number, row: number) => void) => void;

const notNow = 0xffff_ffff;

function writeGrams(
  encoder: IndexEncoder,
  table: GramTable,
  gramNumbers: Uint32Array,
  size: number,
  walk: GramWalk,
): void {
  const rows = new Uint32Array(size);
  const ends = new Uint32Array(table.count).fill(notNow);
  let start = 0;
  for (const gramNumber of gramNumbers) {
    ends[gramNumber] = start;
    start += table.counts.values[gramNumber] as number;
  }
  walk((gramNumber, row) => {
    const end = ends[gramNumber] as number;
    if (end === notNow) return;
    rows[end] = row;
    ends[gramNumber] = end + 1;
  });
  start = 0;
  for (const gramNumber of gramNumbers) {
    const end = ends[gramNumber] as number;
    encoder.add(gramKey(table.gram(gramNumber)), rows, start, end);
    start = end;
  }
}

function countOf(table: GramTable, order: Uint32Array, index: number): number {
  return table.counts.values[order[index] as number] as number;
}

/** Distinct grams, numbered as they come, and what is counted of each. */
interface GramTable {
  readonly count: number;
  readonly counts: { readonly values: Uint32Array };
  readonly lastRows: { readonly values: Uint32Array };
  /** A new number for a gram that was not there. */
  numberOf(gram: number): number;
  gram(gramNumber: number): number;
  /** Numbers in the order of their grams. */
  sorted(): Uint32Array;
}

function createGramTable(): GramTable {
  let slots = new Uint32Array(1 << 12); // number + 1; 0 = free
  let grams = new Uint32Array(1 << 11);
  const counts = { values: new Uint32Array(1 << 11) };
  const lastRows = { values: new Uint32Array(1 << 11) };
  let count = 0;
  const slotOf = (gram: number): number => {
    const mask = slots.length - 1;
    let slot = (Math.imul(gram, 0x9e3779b1) >>> 8) & mask;
    for (;;) {
      const known = slots[slot] as number;
      if (known === 0 || grams[known - 1] === gram) return slot;
      slot = (slot + 1) & mask;
    }
  };
  const grow = (): void => {
    slots = new Uint32Array(2 * slots.length);
    grams = twice(grams);
    counts.values = twice(counts.values);
    lastRows.values = twice(lastRows.values);
    for (let gramNumber = 0; gramNumber < count; gramNumber++) {
      slots[slotOf(grams[gramNumber] as number)] = gramNumber + 1;
    }
  };
  return {
    get count() {
      return count;
    },
    counts,
    lastRows,
    numberOf: (gram) => {
      const slot = slotOf(gram);
      const known = slots[slot] as number;
      if (known !== 0) return known - 1;
      grams[count] = gram;
      slots[slot] = ++count;
      if (count === grams.length) grow();
      return count - 1;
    },
    gram: (gramNumber) => grams[gramNumber] as number,
    sorted: () =>
      Uint32Array.from({ length: count }, (_, gramNumber) => gramNumber).sort(
        (a, b) => (grams[a] as number) - (grams[b] as number),
      ),
  };
}

function twice(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length);
  larger.set(array);
  return larger;
}
