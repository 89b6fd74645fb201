import type { Filter } from '@lagoon/query';
import type { Condition } from './condition.ts';
import type { Patch } from './patch.ts';

/** What of a write depends on the rows as they are when it is committed. */
export interface RowWork {
  readonly patch: Patch | undefined;
  readonly upsertCondition: Condition | undefined;
  readonly patchCondition: Condition | undefined;
  readonly deleteCondition: Condition | undefined;
  readonly deleteByFilter: FilterWork | undefined;
  readonly patchByFilter: (FilterWork & { readonly patch: Patch }) | undefined;
  readonly returnsAffectedIds: boolean;
  /** Whether rows are looked at: not to upsert without a condition. */
  readonly readsRows: boolean;
}

export interface FilterWork {
  readonly filter: Filter;
  readonly allowPartial: boolean;
}

/** Where the filters of a write stand in its request. */
export const filterPaths = {
  deleteByFilter: 'delete_by_filter',
  patchByFilter: 'patch_by_filter.filters',
} as const;

export interface RowWorkLimits {
  /** Rows that one write may delete by a filter, and patch by one. */
  readonly filterDeleteRowCountMax: number;
  readonly filterPatchRowCountMax: number;
  /** Bytes of the whole rows that the patches of one write come to. */
  readonly patchedBytesMax: number;
  readonly affectedIdCountMax: number;
}
