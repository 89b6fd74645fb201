import { compareBytes } from '@lagoon/base';
import { type AttributeRange, type AttributeType, equalAttributeTypes } from '@lagoon/format';
import { valueKey } from '@lagoon/segment';
import type { FilterPlan, Operand, RangeOperator } from './query-plan.ts';

/** What is known of the values of some rows. */
export interface KnownRanges {
  readonly rowCount: number;
  readonly ranges: readonly AttributeRange[];
}

/** False: no row matches, by the ranges of its attributes alone. True is no promise. */
export function mayMatch(known: KnownRanges, filter: FilterPlan): boolean {
  switch (filter.kind) {
    case 'none':
      return false;
    case 'and':
      return filter.filters.every((inner) => mayMatch(known, inner));
    case 'or':
      return filter.filters.some((inner) => mayMatch(known, inner));
    case 'not':
      return mayMiss(known, filter.filter);
    case 'missing':
    case 'any':
    case 'equalArray':
    case 'range':
    case 'elementRange':
    case 'text': {
      const range = rangeOf(known, filter.attribute, filter.type);
      return range === undefined || leafMayMatch(range, filter);
    }
    default:
      return true;
  }
}

/** False: every row matches. */
function mayMiss(known: KnownRanges, filter: FilterPlan): boolean {
  switch (filter.kind) {
    case 'all':
      return false;
    case 'and':
      return filter.filters.some((inner) => mayMiss(known, inner));
    case 'or':
      return filter.filters.every((inner) => mayMiss(known, inner));
    case 'not':
      return mayMatch(known, filter.filter);
    case 'missing':
    case 'range': {
      const range = rangeOf(known, filter.attribute, filter.type);
      return range === undefined || leafMayMiss(range, filter, known.rowCount);
    }
    default:
      return true;
  }
}

type Leaf = Extract<
  FilterPlan,
  { readonly kind: 'missing' | 'any' | 'equalArray' | 'range' | 'elementRange' | 'text' }
>;

function leafMayMatch(range: AttributeRange, filter: Leaf): boolean {
  switch (filter.kind) {
    case 'missing':
      return range.nullCount > 0;
    case 'any':
      return filter.operands.some((operand) => mayHold(range, operand));
    case 'equalArray':
      return filter.operands.every((operand) => mayHold(range, operand));
    case 'elementRange':
      return mayLieIn(range, filter.operator, filter.operand);
    case 'text':
      return range.min !== undefined;
    case 'range':
      return (
        (matchesMissing(filter.operator) && range.nullCount > 0) || mayLieIn(range, filter.operator, filter.operand)
      );
  }
}

function leafMayMiss(
  range: AttributeRange,
  filter: Extract<Leaf, { readonly kind: 'missing' | 'range' }>,
  rowCount: number,
): boolean {
  if (filter.kind === 'missing') return range.nullCount < rowCount;
  const { operator, operand } = filter;
  if (!matchesMissing(operator) && range.nullCount > 0) return true;
  return mayLieIn(range, oppositeOf[operator], operand);
}

/** What a value does that is not below, not above, … */
const oppositeOf: { readonly [Operator in RangeOperator]: RangeOperator } = {
  lt: 'gte',
  lte: 'gt',
  gt: 'lte',
  gte: 'lt',
};

function matchesMissing(operator: RangeOperator): boolean {
  return operator === 'lt' || operator === 'lte';
}

function mayHold(range: AttributeRange, operand: Operand): boolean {
  return mayLieIn(range, 'lte', operand) && mayLieIn(range, 'gte', operand);
}

/** Whether some value may be below (above, …) the operand. */
function mayLieIn({ type, min, max }: AttributeRange, operator: RangeOperator, operand: Operand): boolean {
  if (min === undefined || max === undefined) return false;
  if (type.kind === 'vector') return true;
  const key = valueKey(type.scalar, operand);
  switch (operator) {
    case 'lt':
      return compareBytes(min, key) < 0;
    case 'lte':
      return compareBytes(min, key) <= 0;
    case 'gt':
      return compareBytes(max, key) > 0;
    case 'gte':
      return compareBytes(max, key) >= 0;
  }
}

/** Undefined where the rows have the attribute with another type: then it is read, which says so. */
function rangeOf(known: KnownRanges, attribute: string, type: AttributeType): AttributeRange | undefined {
  return known.ranges.find((range) => range.name === attribute && equalAttributeTypes(range.type, type));
}
