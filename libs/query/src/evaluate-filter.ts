import {
  andInPlace,
  andNotInPlace,
  type Bitmap,
  type Block,
  type Column,
  countBits,
  createBitmap,
  createFullBitmap,
  forEachBit,
  notInPlace,
  orInPlace,
  setBit,
} from '@lagoon/format';
import { columnMatcher, columnOf, matchesMissing } from './column-filter.ts';
import type { FilterContext, FilterTarget, TokensPlan } from './filter-context.ts';
import { idRankRange, rowOfId } from './id-rows.ts';
import type { FilterPlan } from './query-plan.ts';
import { type RowBlock, rowOfRank } from './row-ranks.ts';
import { textRows } from './text-rows.ts';
import { indexedTokenRows, readTokenRows } from './token-rows.ts';

/**
 * The rows of a block that a filter admits, dead ones included: one bit per row. Exact for the rows `within` (undefined: all);
 * the others are no matter, so what is costly is asked of few rows.
 */
export function evaluateFilter(
  context: FilterContext,
  target: FilterTarget,
  filter: FilterPlan,
  within?: Bitmap,
): Uint8Array {
  const { rowCount } = target.block;
  context.checkCancelled();
  switch (filter.kind) {
    case 'all':
      return createFullBitmap(rowCount);
    case 'none':
      return createBitmap(rowCount);
    case 'and':
      return evaluateAnd(context, target, filter.filters, within);
    case 'or': {
      const rows = createBitmap(rowCount);
      for (const inner of filter.filters) orInPlace(rows, evaluateFilter(context, target, inner, within));
      return rows;
    }
    case 'not': {
      const rows = evaluateFilter(context, target, filter.filter, within);
      notInPlace(rows, rowCount);
      return rows;
    }
    default:
      return evaluateLeaf(context, target, filter, within);
  }
}

export type FilterLeaf = Exclude<FilterPlan, { readonly kind: 'all' | 'none' | 'and' | 'or' | 'not' }>;

/** The same for a filter that asks one thing of one attribute. */
function evaluateLeaf(
  context: FilterContext,
  target: FilterTarget,
  filter: FilterLeaf,
  within: Bitmap | undefined,
): Uint8Array {
  const { block } = target;
  const { rowCount } = block;
  switch (filter.kind) {
    case 'idAny':
    case 'idRange':
      return idRows(block, filter);
    case 'missing':
      return missingRows(block, columnOf(block, filter.attribute, filter.type));
    case 'tokens':
      return tokenRows(context, target, filter, within);
    case 'text': {
      const column = columnOf(block, filter.attribute, filter.type);
      if (column === undefined) return createBitmap(rowCount);
      const rows = textRows(context, block, filter.attribute, column, context.matcherOf(filter.test), within);
      if (column.nulls !== undefined) andNotInPlace(rows, column.nulls);
      return rows;
    }
    default: {
      const column = columnOf(block, filter.attribute, filter.type);
      const missingMatch = matchesMissing(filter);
      if (column === undefined) return missingMatch ? createFullBitmap(rowCount) : createBitmap(rowCount);
      const rows = rowsWhere(rowCount, columnMatcher(column, filter), within);
      if (column.nulls === undefined) return rows;
      if (missingMatch) orInPlace(rows, column.nulls);
      else andNotInPlace(rows, column.nulls);
      return rows;
    }
  }
}

/** What costs little first; what costs much is asked only of the rows that are left. */
function evaluateAnd(
  context: FilterContext,
  target: FilterTarget,
  filters: readonly FilterPlan[],
  within: Bitmap | undefined,
): Uint8Array {
  const ordered = [...filters].sort((a, b) => costOf(a) - costOf(b));
  let rows: Uint8Array | undefined;
  for (const filter of ordered) {
    const found = evaluateFilter(context, target, filter, rows ?? within);
    if (rows === undefined) {
      rows = found;
      if (within !== undefined) andInPlace(rows, within);
    } else andInPlace(rows, found);
  }
  return rows ?? createFullBitmap(target.block.rowCount);
}

/** Of one row, in no unit. */
function costOf(filter: FilterPlan): number {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.filters.reduce((most, inner) => Math.max(most, costOf(inner)), 0);
    case 'not':
      return costOf(filter.filter);
    case 'tokens':
      return filter.operator === 'sequence' ? 30 : 3;
    case 'text':
      return filter.test.kind === 'glob' ? 10 : 20;
    case 'idAny':
    case 'idRange':
    case 'missing':
      return 0;
    default:
      return 1;
  }
}

function idRows(block: RowBlock, filter: Extract<FilterPlan, { readonly kind: 'idAny' | 'idRange' }>): Uint8Array {
  const rows = createBitmap(block.rowCount);
  if (filter.kind === 'idRange') {
    const { from, to } = idRankRange(block.ids, filter.operator, filter.operand);
    for (let rank = from; rank < to; rank++) setBit(rows, rowOfRank(block, rank));
    return rows;
  }
  for (const operand of filter.operands) {
    const row = rowOfId(block, operand);
    if (row >= 0) setBit(rows, row);
  }
  return rows;
}

function missingRows(block: Block, column: Column | undefined): Uint8Array {
  if (column === undefined) return createFullBitmap(block.rowCount);
  return column.nulls?.slice() ?? createBitmap(block.rowCount);
}

function tokenRows(
  context: FilterContext,
  target: FilterTarget,
  filter: TokensPlan,
  within: Bitmap | undefined,
): Uint8Array {
  const { block } = target;
  const matcher = context.tokensOf(filter);
  if (matcher.terms.length === 0) return createBitmap(block.rowCount);
  const text = target.textOf?.(filter.attribute, filter.settings);
  const column = columnOf(block, filter.attribute, filter.type);
  if (text !== undefined) return indexedTokenRows(context, matcher, text, column, within);
  return column === undefined
    ? createBitmap(block.rowCount)
    : readTokenRows(context, matcher, column, block.rowCount, within);
}

/** Below this share of the rows, only these are looked at. */
const fewRowsShare = 1 / 16;

function rowsWhere(rowCount: number, matches: (row: number) => boolean, within: Bitmap | undefined): Uint8Array {
  const rows = createBitmap(rowCount);
  if (within !== undefined && countBits(within) <= fewRowsShare * rowCount) {
    forEachBit(within, (row) => {
      if (matches(row)) setBit(rows, row);
    });
    return rows;
  }
  for (let row = 0; row < rowCount; row++) if (matches(row)) (rows[row >>> 3] as number) |= 1 << (row & 7);
  return rows;
}
