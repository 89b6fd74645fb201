import { andInPlace, type Bitmap, type Column, createBitmap, getBit, setBit } from '@lagoon/format';
import type { TextIndex } from '@lagoon/text';
import type { FilterContext } from './filter-context.ts';
import { type TokenMatcher, textsAt, type WantedTerm } from './token-matcher.ts';

/** The rows that have the terms, by the text index; a sequence is read from the texts of the rows that have all its terms. */
export function indexedTokenRows(
  context: FilterContext,
  matcher: TokenMatcher,
  index: TextIndex,
  column: Column | undefined,
  within: Bitmap | undefined,
): Uint8Array {
  const rows = createBitmap(index.rowCount);
  for (const [i, wanted] of matcher.terms.entries()) {
    context.checkCancelled();
    if (i === 0 || matcher.operator === 'any') addRows(rows, index, wanted);
    else {
      const others = createBitmap(index.rowCount);
      addRows(others, index, wanted);
      andInPlace(rows, others);
    }
  }
  if (matcher.operator !== 'sequence' || matcher.terms.length < 2) return rows;
  if (within !== undefined) andInPlace(rows, within);
  return column === undefined
    ? createBitmap(index.rowCount)
    : readTokenRows(context, matcher, column, index.rowCount, rows);
}

function addRows(rows: Uint8Array, index: TextIndex, { term, prefix }: WantedTerm): void {
  for (const one of prefix === undefined ? [term] : [term, ...index.termsWithPrefix(prefix)]) {
    const found = index.postings(one)?.rows;
    if (found === undefined) continue;
    for (let i = 0; i < found.length; i++) setBit(rows, found[i] as number);
  }
}

/** The same by reading the texts of all rows `within`. */
export function readTokenRows(
  context: FilterContext,
  matcher: TokenMatcher,
  column: Column,
  rowCount: number,
  within: Bitmap | undefined,
): Uint8Array {
  const rows = createBitmap(rowCount);
  let untilCheck = rowsPerCheck;
  for (let row = 0; row < rowCount; row++) {
    if (within !== undefined && !getBit(within, row)) continue;
    if (--untilCheck === 0) {
      context.checkCancelled();
      untilCheck = rowsPerCheck;
    }
    if (matcher.matches(textsAt(column, row))) setBit(rows, row);
  }
  return rows;
}

const rowsPerCheck = 256;
