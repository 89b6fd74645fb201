import { corrupt } from '@lagoon/base';
import {
  type AttributeType,
  andInPlace,
  andNotInPlace,
  type Block,
  type Column,
  createBitmap,
  createFullBitmap,
  equalAttributeTypes,
  formatAttributeType,
  getBit,
  notInPlace,
  orInPlace,
  setBit,
} from '@lagoon/format';
import { idRankRange, rowOfId } from './id-rows.ts';
import { type ElementMatcher, matchAny, matchRange } from './match-elements.ts';
import type { FilterPlan } from './query-plan.ts';
import { type RowBlock, rowOfRank } from './row-ranks.ts';

/** The rows of a block that a filter admits, dead ones included: one bit per row. Exact. */
export function evaluateFilter(block: RowBlock, filter: FilterPlan): Uint8Array {
  switch (filter.kind) {
    case 'all':
      return createFullBitmap(block.rowCount);
    case 'none':
      return createBitmap(block.rowCount);
    case 'and':
      return evaluateAnd(block, filter.filters);
    case 'or':
      return evaluateOr(block, filter.filters);
    case 'not': {
      const rows = evaluateFilter(block, filter.filter);
      notInPlace(rows, block.rowCount);
      return rows;
    }
    case 'missing':
      return missingRows(block, columnOf(block, filter.attribute, filter.type));
    case 'any':
    case 'equalArray':
    case 'range':
      return evaluateColumn(block, filter);
    case 'idAny': {
      const rows = createBitmap(block.rowCount);
      for (const operand of filter.operands) {
        const row = rowOfId(block, operand);
        if (row >= 0) setBit(rows, row);
      }
      return rows;
    }
    case 'idRange': {
      const rows = createBitmap(block.rowCount);
      const { from, to } = idRankRange(block.ids, filter.operator, filter.operand);
      for (let rank = from; rank < to; rank++) setBit(rows, rowOfRank(block, rank));
      return rows;
    }
  }
}

/** The block's column; undefined where no row of the block has the attribute. */
export function columnOf(block: Block, attribute: string, type: AttributeType): Column | undefined {
  const named = block.columns.get(attribute);
  if (named === undefined) return undefined;
  if (!equalAttributeTypes(named.type, type)) {
    throw corrupt('column has another type than the schema', {
      attribute,
      schema: formatAttributeType(type),
      column: formatAttributeType(named.type),
    });
  }
  return named.column;
}

function evaluateAnd(block: RowBlock, filters: readonly FilterPlan[]): Uint8Array {
  const [first, ...rest] = filters;
  if (first === undefined) return createFullBitmap(block.rowCount);
  const rows = evaluateFilter(block, first);
  for (const filter of rest) andInPlace(rows, evaluateFilter(block, filter));
  return rows;
}

function evaluateOr(block: RowBlock, filters: readonly FilterPlan[]): Uint8Array {
  const rows = createBitmap(block.rowCount);
  for (const filter of filters) orInPlace(rows, evaluateFilter(block, filter));
  return rows;
}

function missingRows(block: Block, column: Column | undefined): Uint8Array {
  if (column === undefined) return createFullBitmap(block.rowCount);
  return column.nulls?.slice() ?? createBitmap(block.rowCount);
}

type ColumnFilter = Extract<FilterPlan, { readonly kind: 'any' | 'equalArray' | 'range' }>;

/** The same for single rows. */
export function matchColumn(block: Block, filter: ColumnFilter): ElementMatcher {
  const column = columnOf(block, filter.attribute, filter.type);
  const missingMatch = matchesMissing(filter);
  if (column === undefined) return () => missingMatch;
  const matches = rowMatcher(column, filter);
  const { nulls } = column;
  return nulls === undefined ? matches : (row) => (getBit(nulls, row) ? missingMatch : matches(row));
}

/** Missing rows match `lt` and `lte` only. */
function matchesMissing(filter: ColumnFilter): boolean {
  return filter.kind === 'range' && (filter.operator === 'lt' || filter.operator === 'lte');
}

function evaluateColumn(block: Block, filter: ColumnFilter): Uint8Array {
  const column = columnOf(block, filter.attribute, filter.type);
  const missingMatch = matchesMissing(filter);
  if (column === undefined) return missingMatch ? createFullBitmap(block.rowCount) : createBitmap(block.rowCount);
  const rows = rowsWhere(block.rowCount, rowMatcher(column, filter));
  if (column.nulls === undefined) return rows;
  if (missingMatch) orInPlace(rows, column.nulls);
  else andNotInPlace(rows, column.nulls);
  return rows;
}

function rowMatcher(column: Column, filter: ColumnFilter): ElementMatcher {
  if (column.kind === 'scalar') {
    if (filter.kind === 'range') return matchRange(column, filter.operator, filter.operand);
    return matchAny(column, filter.operands);
  }
  if (column.kind === 'vector' || filter.kind === 'range') {
    throw corrupt('column cannot be filtered so', { attribute: filter.attribute });
  }
  const { rowOffsets, elements } = column;
  if (filter.kind === 'any') {
    const matches = matchAny(elements, filter.operands);
    return (row) => {
      const end = rowOffsets[row + 1] as number;
      for (let index = rowOffsets[row] as number; index < end; index++) if (matches(index)) return true;
      return false;
    };
  }
  const matchers = filter.operands.map((operand) => matchAny(elements, [operand]));
  return (row) => {
    const start = rowOffsets[row] as number;
    if ((rowOffsets[row + 1] as number) - start !== matchers.length) return false;
    return matchers.every((matches, i) => matches(start + i));
  };
}

function rowsWhere(rowCount: number, matches: ElementMatcher): Uint8Array {
  const rows = createBitmap(rowCount);
  for (let row = 0; row < rowCount; row++) if (matches(row)) (rows[row >>> 3] as number) |= 1 << (row & 7);
  return rows;
}
