import { getBit } from '@lagoon/format';
import { columnOf, evaluateFilter, matchColumn } from './evaluate-filter.ts';
import { idRankRange, rowOfId } from './id-rows.ts';
import type { FilterPlan } from './query-plan.ts';
import { type RowBlock, rankOfRow } from './row-ranks.ts';

/** Whether a row of the block matches the filter. */
export type RowMatcher = (row: number) => boolean;

/** The same as `evaluateFilter`, for a few rows: costs what is asked for, not what the block holds. */
export function createRowMatcher(block: RowBlock, filter: FilterPlan): RowMatcher {
  switch (filter.kind) {
    case 'all':
      return () => true;
    case 'none':
      return () => false;
    case 'and': {
      const matchers = filter.filters.map((inner) => createRowMatcher(block, inner));
      return (row) => matchers.every((matches) => matches(row));
    }
    case 'or': {
      const matchers = filter.filters.map((inner) => createRowMatcher(block, inner));
      return (row) => matchers.some((matches) => matches(row));
    }
    case 'not': {
      const matches = createRowMatcher(block, filter.filter);
      return (row) => !matches(row);
    }
    case 'missing': {
      const column = columnOf(block, filter.attribute, filter.type);
      return (row) => column === undefined || (column.nulls !== undefined && getBit(column.nulls, row));
    }
    case 'any':
    case 'equalArray':
    case 'range':
      return matchColumn(block, filter);
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
    default: {
      const rows = evaluateFilter(block, filter);
      return (row) => getBit(rows, row);
    }
  }
}
