import { type Column, getBit } from '@lagoon/format';
import { columnMatcher, columnOf, matchesMissing } from './column-filter.ts';
import type { FilterLeaf } from './evaluate-filter.ts';
import type { FilterContext } from './filter-context.ts';
import { idRankRange, rowOfId } from './id-rows.ts';
import type { FilterPlan } from './query-plan.ts';
import { type RowBlock, rankOfRow } from './row-ranks.ts';
import { textRowMatcher } from './text-rows.ts';
import { textsAt } from './token-matcher.ts';

/** Whether a row of the block matches the filter. */
export type RowMatcher = (row: number) => boolean;

/** The same as `evaluateFilter`, for a few rows: costs what is asked for, not what the block holds. */
export function createRowMatcher(context: FilterContext, block: RowBlock, filter: FilterPlan): RowMatcher {
  switch (filter.kind) {
    case 'all':
      return () => true;
    case 'none':
      return () => false;
    case 'and': {
      const matchers = filter.filters.map((inner) => createRowMatcher(context, block, inner));
      return (row) => matchers.every((matches) => matches(row));
    }
    case 'or': {
      const matchers = filter.filters.map((inner) => createRowMatcher(context, block, inner));
      return (row) => matchers.some((matches) => matches(row));
    }
    case 'not': {
      const matches = createRowMatcher(context, block, filter.filter);
      return (row) => !matches(row);
    }
    default:
      return leafMatcher(context, block, filter);
  }
}

function leafMatcher(context: FilterContext, block: RowBlock, filter: FilterLeaf): RowMatcher {
  switch (filter.kind) {
    case 'idAny': {
      const rows = new Set(filter.operands.map((operand) => rowOfId(block, operand)));
      return (row) => rows.has(row);
    }
    case 'idRange': {
      const { from, to } = idRankRange(block.ids, filter.operator, filter.operand);
      return (row) => {
        const rank = rankOfRow(block, row);
        return rank >= from && rank < to;
      };
    }
    default:
      return valueMatcher(context, block, filter);
  }
}

function valueMatcher(
  context: FilterContext,
  block: RowBlock,
  filter: Exclude<FilterLeaf, { readonly kind: 'idAny' | 'idRange' }>,
): RowMatcher {
  const column = columnOf(block, filter.attribute, filter.type);
  switch (filter.kind) {
    case 'missing':
      return ifPresent(column, true, () => () => false);
    case 'text':
      return ifPresent(column, false, (present) =>
        textRowMatcher(block, filter.attribute, present, context.matcherOf(filter.test)),
      );
    case 'tokens':
      return ifPresent(column, false, (present) => {
        const matcher = context.tokensOf(filter);
        return (row) => matcher.matches(textsAt(present, row));
      });
    default:
      return ifPresent(column, matchesMissing(filter), (present) => columnMatcher(present, filter));
  }
}

function ifPresent(
  column: Column | undefined,
  missingMatch: boolean,
  matcherOf: (column: Column) => RowMatcher,
): RowMatcher {
  if (column === undefined) return () => missingMatch;
  const matches = matcherOf(column);
  const { nulls } = column;
  return nulls === undefined ? matches : (row) => (getBit(nulls, row) ? missingMatch : matches(row));
}
