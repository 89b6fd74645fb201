import { corrupt } from '@lagoon/base';
import { type AttributeType, type Block, type Column, equalAttributeTypes, formatAttributeType } from '@lagoon/format';
import { type ElementMatcher, matchAny, matchRange } from './match-elements.ts';
import type { FilterPlan } from './query-plan.ts';
import { idsToColumn } from './stored-segment.ts';

/** A filter on the values of one attribute. */
export type ColumnFilter = Extract<FilterPlan, { readonly kind: 'any' | 'equalArray' | 'range' | 'elementRange' }>;

/** The block's column, of `id` its ids in their order, whatever the rows' is; undefined where no row of the block has the attribute. */
export function columnOf(block: Block, attribute: string, type: AttributeType): Column | undefined {
  const named = attribute === 'id' ? idsToColumn(block.ids) : block.columns.get(attribute);
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

/** Missing rows match `lt` and `lte` only. */
export function matchesMissing(filter: ColumnFilter): boolean {
  return filter.kind === 'range' && (filter.operator === 'lt' || filter.operator === 'lte');
}

/** Whether a row matches that is not missing. */
export function columnMatcher(column: Column, filter: ColumnFilter): ElementMatcher {
  if (column.kind === 'scalar') {
    if (filter.kind === 'range') return matchRange(column, filter.operator, filter.operand);
    if (filter.kind === 'any') return matchAny(column, filter.operands);
  }
  if (column.kind === 'array') {
    const { rowOffsets, elements } = column;
    if (filter.kind === 'any') return anyElement(rowOffsets, matchAny(elements, filter.operands));
    if (filter.kind === 'elementRange') {
      return anyElement(rowOffsets, matchRange(elements, filter.operator, filter.operand));
    }
    if (filter.kind === 'equalArray') {
      return everyElement(
        rowOffsets,
        filter.operands.map((operand) => matchAny(elements, [operand])),
      );
    }
  }
  throw corrupt('column cannot be filtered so', { attribute: filter.attribute });
}

function anyElement(rowOffsets: Uint32Array, matches: ElementMatcher): ElementMatcher {
  return (row) => {
    const end = rowOffsets[row + 1] as number;
    for (let index = rowOffsets[row] as number; index < end; index++) if (matches(index)) return true;
    return false;
  };
}

function everyElement(rowOffsets: Uint32Array, matchers: readonly ElementMatcher[]): ElementMatcher {
  return (row) => {
    const start = rowOffsets[row] as number;
    if ((rowOffsets[row + 1] as number) - start !== matchers.length) return false;
    return matchers.every((matches, i) => matches(start + i));
  };
}
