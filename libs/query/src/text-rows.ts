import {
  andInPlace,
  type Bitmap,
  type Column,
  createBitmap,
  forEachBit,
  type ScalarColumn,
  setBit,
} from '@lagoon/format';
import type { FilterContext } from './filter-context.ts';
import { type RowBlock, rankOfRow } from './row-ranks.ts';
import type { TextMatcher } from './text-test.ts';

/** The rows whose text, or an element of whose array, passes a test: of those `within`. */
export function textRows(
  context: FilterContext,
  block: RowBlock,
  attribute: string,
  column: Column,
  matches: TextMatcher,
  within: Bitmap | undefined,
): Uint8Array {
  const asked = column.kind === 'scalar' && attribute !== 'id' ? rowsWithNeedle(context, column, matches) : undefined;
  if (asked !== undefined && within !== undefined) andInPlace(asked, within);
  const remembering = matches.isCheap === true ? matches : rememberTexts(matches);
  return rowsOfTexts(context, block.rowCount, textRowMatcher(block, attribute, column, remembering), asked ?? within);
}

function rowsOfTexts(
  context: FilterContext,
  rowCount: number,
  matches: (row: number) => boolean,
  within: Bitmap | undefined,
): Uint8Array {
  const rows = createBitmap(rowCount);
  let untilCheck = rowsPerCheck;
  const visit = (row: number): void => {
    if (--untilCheck === 0) {
      context.checkCancelled();
      untilCheck = rowsPerCheck;
    }
    if (matches(row)) setBit(rows, row);
  };
  if (within === undefined) for (let row = 0; row < rowCount; row++) visit(row);
  else forEachBit(within, visit);
  return rows;
}

/** The rows whose text has the bytes that the test needs; undefined where it needs none. */
function rowsWithNeedle(context: FilterContext, column: ScalarColumn, { needle }: TextMatcher): Uint8Array | undefined {
  if (needle === undefined || !('offsets' in column)) return undefined;
  const { bytes, offsets } = column;
  const rowCount = offsets.length - 1;
  const rows = createBitmap(rowCount);
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, offsets[rowCount]);
  let row = 0;
  let untilCheck = rowsPerCheck;
  for (let at = haystack.indexOf(needle); at >= 0; ) {
    if (--untilCheck === 0) {
      context.checkCancelled();
      untilCheck = rowsPerCheck;
    }
    while ((offsets[row + 1] as number) <= at) row++;
    const end = offsets[row + 1] as number;
    if (at + needle.length <= end) setBit(rows, row);
    at = haystack.indexOf(needle, end); // what begins later in this text and fits has the same answer
  }
  return rows;
}

/** Rows between two looks at whether anybody waits: an expression takes at most a few milliseconds for them. */
const rowsPerCheck = 1024;

/**
 * Whether the text of a row, or an element of its array, passes a test. A missing row reads as an empty text or array: callers
 * mask it.
 */
export function textRowMatcher(
  block: RowBlock,
  attribute: string,
  column: Column,
  matches: TextMatcher,
): (row: number) => boolean {
  if (column.kind === 'vector') return () => false;
  if (column.kind === 'scalar') {
    const matchesElement = textElementMatcher(column, matches);
    return attribute === 'id' ? (row) => matchesElement(rankOfRow(block, row)) : matchesElement;
  }
  const { rowOffsets, elements } = column;
  const matchesElement = textElementMatcher(elements, matches);
  return (row) => {
    const end = rowOffsets[row + 1] as number;
    for (let i = rowOffsets[row] as number; i < end; i++) if (matchesElement(i)) return true;
    return false;
  };
}

function textElementMatcher(column: ScalarColumn, matches: TextMatcher): (index: number) => boolean {
  if (!('offsets' in column)) return () => false;
  const { bytes, offsets } = column;
  return (index) => matches(bytes, offsets[index] as number, offsets[index + 1] as number);
}

const slotCount = 1 << 12;
/** Longer texts are tested each time: looking them up would cost as much. */
const rememberedBytesMax = 256;

/** The same for texts of one column, of which equal ones are tested once where they come close to each other. */
function rememberTexts(matches: TextMatcher): TextMatcher {
  const starts = new Uint32Array(slotCount);
  const ends = new Uint32Array(slotCount);
  const results = new Uint8Array(slotCount); // 0: none
  return (bytes, start, end) => {
    if (end - start > rememberedBytesMax || end === start) return matches(bytes, start, end);
    let hash = 0x811c9dc5; // FNV-1a
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    const slot = (hash ^ (hash >>> 15)) & (slotCount - 1);
    const known = results[slot] as number;
    if (known !== 0 && equalTexts(bytes, starts[slot] as number, ends[slot] as number, start, end)) return known === 2;
    const result = matches(bytes, start, end);
    starts[slot] = start;
    ends[slot] = end;
    results[slot] = result ? 2 : 1;
    return result;
  };
}

function equalTexts(bytes: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false;
  for (let i = 0; i < end - start; i++) if (bytes[start + i] !== bytes[otherStart + i]) return false;
  return true;
}
