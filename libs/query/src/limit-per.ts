import { assert, invalidAt, LagoonError } from '@lagoon/base';
import { type AttributeValue, formatAttributeType, limits, queryLimits, type Schema, valueAt } from '@lagoon/format';
import type { Filter } from './filter.ts';
import type { SearchOutcome } from './job-block.ts';
import { planFilter } from './plan-filter.ts';
import type { FilterPlan } from './query-plan.ts';
import type { LimitPer } from './query-spec.ts';
import type { Snapshot } from './snapshot.ts';
import type { RankedRows } from './top-rows.ts';

/** Runs a query's ranking again for another number of rows, and another filter. */
export type Search = (limit: number, filter: FilterPlan | undefined) => Promise<SearchOutcome>;

/** Rows found at once, in proportion to those that are asked for: more means fewer searches, but larger ones. */
const pageFactor = 4;
const pageRowCountMin = 100;
const searchCountMax = 64;

export function checkLimitPer(schema: Schema, per: LimitPer): void {
  const { attributes, limit } = per;
  if (attributes.length === 0 || attributes.length > queryLimits.groupKeyCountMax) {
    throw invalidAt('limit.per.attributes', 'wrong number of attributes', {
      found: attributes.length,
      max: queryLimits.groupKeyCountMax,
    });
  }
  if (!Number.isInteger(limit) || limit < 1 || limit > limits.topKMax) {
    throw invalidAt('limit.per.limit', 'out of range', { limit, min: 1, max: limits.topKMax });
  }
  for (const [i, name] of attributes.entries()) {
    const path = `limit.per.attributes[${i}]`;
    const attribute = schema.attributes.get(name);
    if (attribute === undefined) throw invalidAt(path, 'unknown attribute', { attribute: name });
    const { type, filterable } = attribute;
    if (type.kind !== 'scalar') {
      throw invalidAt(path, 'rows are grouped by scalar attributes', {
        attribute: name,
        type: formatAttributeType(type),
      });
    }
    if (!filterable) throw invalidAt(path, 'attribute is not filterable', { attribute: name });
  }
}

/**
 * The best `total` rows of which no more than `per.limit` have the same values. Searches page after page: the first page's rows,
 * then the best rows that are not of groups that are full already, which begin with those that the page had.
 */
export async function searchPer(
  search: Search,
  snapshot: Snapshot,
  per: LimitPer,
  total: number,
  filter: FilterPlan | undefined,
): Promise<SearchOutcome> {
  const groups = new Map<string, { readonly values: readonly AttributeValue[]; rowCount: number }>();
  const chosen: { readonly block: number; readonly row: number; readonly score: number }[] = [];
  const seen = new Set<number>();
  let scoredRowCount = 0;
  for (let searchCount = 0; searchCount < searchCountMax; searchCount++) {
    const limit = Math.min(limits.topKMax, chosen.length + Math.max(pageRowCountMin, pageFactor * total));
    const full = [...groups.values()].filter(({ rowCount }) => rowCount >= per.limit);
    const outcome = await search(limit, both(filter, snapshot.schema, per, full));
    scoredRowCount += outcome.scoredRowCount;
    for (const [i, row] of outcome.top.rows.entries()) {
      const block = outcome.top.blocks[i] as number;
      const place = block * 2 ** 32 + row;
      if (seen.has(place)) continue;
      seen.add(place);
      const values = valuesAt(snapshot, block, row, per.attributes);
      const key = values.map((value) => `${typeof value}:${value}`).join('\u0000');
      const group = groups.get(key) ?? { values, rowCount: 0 };
      groups.set(key, group);
      if (group.rowCount++ >= per.limit) continue;
      chosen.push({ block, row, score: outcome.top.scores[i] as number });
      if (chosen.length === total) return { ...outcome, top: toRankedRows(chosen), scoredRowCount };
    }
    if (outcome.top.rows.length < limit) return { ...outcome, top: toRankedRows(chosen), scoredRowCount };
  }
  throw new LagoonError('resource_exhausted', 'limit.per takes too many searches: ask for fewer rows, or filter them', {
    context: { searches: searchCountMax, rowsFound: chosen.length, total },
  });
}

function valuesAt(
  snapshot: Snapshot,
  block: number,
  row: number,
  attributes: readonly string[],
): readonly AttributeValue[] {
  const columns = snapshot.blocks[block]?.block.columns;
  assert(columns !== undefined, 'a ranked row is of a block of its snapshot');
  return attributes.map((name) => {
    const named = columns.get(name);
    return named === undefined ? null : valueAt(named.column, row);
  });
}

interface Group {
  readonly values: readonly AttributeValue[];
}

function both(
  filter: FilterPlan | undefined,
  schema: Schema,
  per: LimitPer,
  full: readonly Group[],
): FilterPlan | undefined {
  if (full.length === 0) return filter;
  const without = planFilter(
    schema,
    excluding(
      per,
      full.map(({ values }) => values),
    ),
    'limit.per',
  );
  return filter === undefined ? without : { kind: 'and', filters: [filter, without] };
}

function excluding({ attributes }: LimitPer, groups: readonly (readonly AttributeValue[])[]): Filter {
  const [only, ...others] = attributes;
  if (only !== undefined && others.length === 0) {
    const values = groups.map(([value]) => value ?? null);
    return { kind: 'comparison', attribute: only, operator: 'notIn', values };
  }
  const members = groups.map(
    (values): Filter => ({
      kind: 'and',
      filters: attributes.map((attribute, i) => ({
        kind: 'comparison',
        attribute,
        operator: 'eq',
        values: [values[i] ?? null],
      })),
    }),
  );
  return { kind: 'not', filter: { kind: 'or', filters: members } };
}

function toRankedRows(
  chosen: readonly { readonly block: number; readonly row: number; readonly score: number }[],
): RankedRows {
  return {
    blocks: Uint32Array.from(chosen, ({ block }) => block),
    rows: Uint32Array.from(chosen, ({ row }) => row),
    scores: Float64Array.from(chosen, ({ score }) => score),
  };
}
