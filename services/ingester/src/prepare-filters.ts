import { isLagoonError } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import { planFilter, type RowSnapshot } from '@lagoon/query';
import { filterPaths } from './row-work.ts';
import type { WriteRequest } from './write-request.ts';

/**
 * What the filters of a group's writes match, found a few rows at a time: the group is resolved at one go, which would keep everybody
 * else waiting while texts are read. A filter that is planned otherwise then, for a write before it changes the schema, is searched then.
 */
export async function prepareFilters(
  writes: readonly WriteRequest[],
  rows: RowSnapshot,
  schema: Schema,
  breathe: () => Promise<void>,
): Promise<void> {
  for (const { rowWork } of writes) {
    for (const name of ['deleteByFilter', 'patchByFilter'] as const) {
      const filter = rowWork?.[name]?.filter;
      if (filter === undefined) continue;
      try {
        await rows.prepare(planFilter(schema, filter, filterPaths[name]), breathe);
      } catch (error) {
        // The write itself will say what is wrong with it.
        if (!isLagoonError(error, 'invalid_argument')) throw error;
      }
    }
  }
}
