import type { Column } from '@lagoon/format';
import { createIndexEncoder, type EncodedIndex } from './attribute-index.v1.ts';
import { createGrowingList, forEachValue } from './build-attribute-index.ts';
import { forEachGram, gramKey, gramWidth } from './ngrams.ts';

/** Rows of grams that are gathered at a time: 32 MiB. A text is cut into its grams once for every so many. */
const gatheredRowCountMax = 8 << 20;

/**
 * The index of the n-grams of texts: gram → rows that have it, of an array in any element. Memory: a table of the distinct grams
 * and at most 32 MiB, whatever the texts.
 */
export function buildNgramIndex(column: Column, rowCount: number): EncodedIndex | undefined {
  if (column.kind === 'vector') return undefined;
  const table = createGramTable();
  /** Calls back with the number of every gram of a row, once per row. */
  const forEachRowGram = (visit: (gramNumber: number, row: number) => void): void => {
    const lastRows: number[] = [];
    forEachValue(column, rowCount, (row, bytes, start, end) =>
      forEachGram(bytes, start, end, (gram) => {
        const gramNumber = table.numberOf(gram);
        if (lastRows[gramNumber] === row) return;
        lastRows[gramNumber] = row;
        visit(gramNumber, row);
      }),
    );
  };
  const counts: number[] = [];
  forEachRowGram((gramNumber) => {
    counts[gramNumber] = (counts[gramNumber] ?? 0) + 1;
  });
  const order = table.sorted();
  const encoder = createIndexEncoder(gramWidth, new Uint32Array(0));
  for (let from = 0; from < order.length; ) {
    let to = from;
    let size = 0;
    while (to < order.length && (to === from || size + (counts[at(order, to)] as number) <= gatheredRowCountMax)) {
      size += counts[at(order, to++)] as number;
    }
    writeGrams(encoder, table, order.subarray(from, to), counts, size, forEachRowGram);
    from = to;
  }
  return encoder.finish();
}

function writeGrams(
  encoder: ReturnType<typeof createIndexEncoder>,
  table: GramTable,
  gramNumbers: Uint32Array,
  counts: readonly number[],
  size: number,
  forEachRowGram: (visit: (gramNumber: number, row: number) => void) => void,
): void {
  const rows = new Uint32Array(size);
  const ends = new Map<number, number>();
  let start = 0;
  for (const gramNumber of gramNumbers) {
    ends.set(gramNumber, start);
    start += counts[gramNumber] as number;
  }
  forEachRowGram((gramNumber, row) => {
    const end = ends.get(gramNumber);
    if (end === undefined) return;
    rows[end] = row;
    ends.set(gramNumber, end + 1);
  });
  start = 0;
  for (const gramNumber of gramNumbers) {
    const end = start + (counts[gramNumber] as number);
    encoder.add(gramKey(table.gram(gramNumber)), rows, start, end);
    start = end;
  }
}

interface GramTable {
  /** A new number for a gram that was not there. */
  numberOf(gram: number): number;
  gram(gramNumber: number): number;
  /** Numbers in the order of their grams. */
  sorted(): Uint32Array;
}

function createGramTable(): GramTable {
  const grams = createGrowingList();
  let slots = new Uint32Array(1 << 12); // number + 1; 0 = free
  const slotOf = (gram: number): number => {
    const mask = slots.length - 1;
    let slot = (Math.imul(gram, 0x9e3779b1) >>> 8) & mask;
    while (slots[slot] !== 0 && grams.values[(slots[slot] as number) - 1] !== gram) slot = (slot + 1) & mask;
    return slot;
  };
  const grow = (): void => {
    slots = new Uint32Array(4 * slots.length);
    for (const [gramNumber, gram] of grams.values.entries()) slots[slotOf(gram)] = gramNumber + 1;
  };
  return {
    numberOf: (gram) => {
      const slot = slotOf(gram);
      const known = slots[slot] as number;
      if (known !== 0) return known - 1;
      const gramNumber = grams.values.length;
      grams.push(gram);
      slots[slot] = gramNumber + 1;
      if (2 * gramNumber > slots.length) grow();
      return gramNumber;
    },
    gram: (gramNumber) => grams.values[gramNumber] as number,
    sorted: () => Uint32Array.from(grams.values, (_, i) => i).sort((a, b) => at(grams.values, a) - at(grams.values, b)),
  };
}

function at(values: Uint32Array, index: number): number {
  return values[index] as number;
}
