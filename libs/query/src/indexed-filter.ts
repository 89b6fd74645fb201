import {
  andInPlace,
  type Bitmap,
  createBitmap,
  createFullBitmap,
  notInPlace,
  orInPlace,
  orRowSets,
} from '@lagoon/format';
import type { FilterPlan } from './query-plan.ts';
import type { StoredPlace } from './stored-segment.ts';

/**
 * A filter on one segment of which some parts were looked up in attribute indexes: their columns are not needed. Plain data, so
 * that it crosses to a worker as it is; the sets of rows lie in the arena.
 */
export type IndexedFilter =
  | { readonly kind: 'and' | 'or'; readonly filters: readonly IndexedFilter[] }
  | { readonly kind: 'not'; readonly filter: IndexedFilter }
  | { readonly kind: 'rows'; readonly rows: IndexedRows }
  /** The index gives rows too many: the filter decides, on these alone. */
  | { readonly kind: 'candidates'; readonly rows: IndexedRows; readonly filter: FilterPlan }
  | { readonly kind: 'column'; readonly filter: FilterPlan };

export type IndexedRows =
  /** Any of the sets. */
  | { readonly kind: 'sets'; readonly sets: readonly RowSetsPlace[] }
  | { readonly kind: 'all' | 'any'; readonly of: readonly IndexedRows[] }
  | { readonly kind: 'not'; readonly of: IndexedRows };

/** Sets of rows that fill the bytes [from, to) of a place, one behind the other. */
export interface RowSetsPlace {
  readonly place: StoredPlace;
  readonly from: number;
  readonly to: number;
}

export interface IndexedFilterTarget {
  readonly rowCount: number;
  bytesAt(place: StoredPlace): Uint8Array;
  /** The rows that a filter admits, exact for those `within`; undefined: for all. */
  evaluate(filter: FilterPlan, within: Bitmap | undefined): Bitmap;
}

/** The rows that the filter admits, exact for those `within`. What was looked up comes first, and columns are read for what is left. */
export function evaluateIndexedFilter(
  target: IndexedFilterTarget,
  filter: IndexedFilter,
  within: Bitmap | undefined,
): Bitmap {
  switch (filter.kind) {
    case 'column':
      return target.evaluate(filter.filter, within);
    case 'rows':
      return indexedRows(target, filter.rows);
    case 'candidates': {
      const rows = indexedRows(target, filter.rows);
      if (within !== undefined) andInPlace(rows, within);
      andInPlace(rows, target.evaluate(filter.filter, rows));
      return rows;
    }
    case 'not': {
      const rows = evaluateIndexedFilter(target, filter.filter, within);
      notInPlace(rows, target.rowCount);
      return rows;
    }
    case 'or': {
      const rows = createBitmap(target.rowCount);
      for (const inner of filter.filters) orInPlace(rows, evaluateIndexedFilter(target, inner, within));
      return rows;
    }
    case 'and': {
      let rows = within;
      for (const inner of filter.filters.toSorted((a, b) => costOf(a) - costOf(b))) {
        const found = evaluateIndexedFilter(target, inner, rows);
        if (rows !== undefined) andInPlace(found, rows);
        rows = found;
      }
      return rows === undefined ? createFullBitmap(target.rowCount) : rows === within ? rows.slice() : rows;
    }
  }
}

function costOf(filter: IndexedFilter): number {
  switch (filter.kind) {
    case 'rows':
      return 0;
    case 'column':
      return 1;
    case 'candidates':
      return 2;
    case 'not':
      return costOf(filter.filter);
    default:
      return filter.filters.reduce((most, inner) => Math.max(most, costOf(inner)), 0);
  }
}

function indexedRows(target: IndexedFilterTarget, rows: IndexedRows): Bitmap {
  const { rowCount } = target;
  switch (rows.kind) {
    case 'sets': {
      const bitmap = createBitmap(rowCount);
      for (const { place, from, to } of rows.sets) orRowSets(bitmap, rowCount, target.bytesAt(place), from, to);
      return bitmap;
    }
    case 'any': {
      const [first, ...others] = rows.of;
      if (first === undefined) return createBitmap(rowCount);
      const bitmap = indexedRows(target, first);
      for (const inner of others) orInPlace(bitmap, indexedRows(target, inner));
      return bitmap;
    }
    case 'all': {
      const bitmap = createFullBitmap(rowCount);
      for (const inner of rows.of) andInPlace(bitmap, indexedRows(target, inner));
      return bitmap;
    }
    case 'not': {
      const bitmap = indexedRows(target, rows.of);
      notInPlace(bitmap, rowCount);
      return bitmap;
    }
  }
}
