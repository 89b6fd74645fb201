import { invalidAt } from '@lagoon/base';
import { formatAttributeType, limits, queryLimits, type Schema } from '@lagoon/format';
import { checkLimitPer } from './limit-per.ts';
import { planAggregation } from './plan-aggregation.ts';
import { planSparse, planVector, rankedAttribute } from './plan-distance.ts';
import { planFilter } from './plan-filter.ts';
import { planHighlights } from './plan-highlights.ts';
import { planScore } from './plan-score.ts';
import { planValues } from './plan-values.ts';
import type { OrderKeyPlan, QueryPlan, RankPlan } from './query-plan.ts';
import type { LimitPer, OrderKey, Projection, QuerySpec, RankBy } from './query-spec.ts';

/**
 * Checks a query against the schema at its snapshot. Whatever is wrong is `invalid_argument` that names the attribute; nothing
 * is dropped in silence. What of a filter no schema decides was checked before (`checkFilter`). `recall` is what ANN aims at where
 * the query does not say it.
 */
export function planQuery(schema: Schema, spec: QuerySpec, recall = recallDefault): QueryPlan {
  if (!Number.isInteger(spec.limit) || spec.limit < 1 || spec.limit > limits.topKMax) {
    throw invalidAt('limit', 'out of range', { found: spec.limit, min: 1, max: limits.topKMax });
  }
  const rank = planRank(schema, spec.rankBy, recall);
  return {
    rank,
    filter: spec.filter === undefined ? undefined : planFilter(schema, spec.filter, 'filters'),
    limit: spec.limit,
    limitPer: planLimitPer(schema, spec),
    projection: planProjection(schema, spec.projection),
    highlights: planHighlights(schema, rank, spec.highlights ?? []),
    values: planValues(schema, spec),
    traced: spec.traced ?? false,
  };
}

function planLimitPer(schema: Schema, { limitPer, rankBy }: QuerySpec): LimitPer | undefined {
  if (limitPer === undefined) return undefined;
  if (rankBy.kind === 'aggregate') throw invalidAt('limit.per', 'an aggregation has no rows');
  checkLimitPer(schema, limitPer);
  return limitPer;
}

function planRank(schema: Schema, rankBy: RankBy, recall: number): RankPlan {
  switch (rankBy.kind) {
    case 'vector':
      return planVector(rankedAttribute(schema, rankBy.attribute, 'rank_by[0]'), { recall, ...rankBy }, 'rank_by');
    case 'text':
      return { kind: 'text', score: planScore(schema, rankBy.expression, 'rank_by') };
    case 'sparse':
      return planSparse(rankedAttribute(schema, rankBy.attribute, 'rank_by[0]'), rankBy, 'rank_by');
    case 'order':
      return planOrder(schema, rankBy.keys);
    case 'aggregate':
      return planAggregation(schema, rankBy);
  }
}

/** Of ANN queries where neither they nor the namespace name one. */
const recallDefault = 0.95;

function planOrder(schema: Schema, keys: readonly OrderKey[]): RankPlan {
  if (keys.length === 0 || keys.length > queryLimits.orderKeyCountMax) {
    throw invalidAt('rank_by', 'wrong number of order keys', { count: keys.length, max: queryLimits.orderKeyCountMax });
  }
  return {
    kind: 'order',
    keys: keys.map((key, i) => planOrderKey(schema, key, keys.length === 1 ? 'rank_by' : `rank_by[${i}]`)),
  };
}

function planOrderKey(schema: Schema, key: OrderKey, path: string): OrderKeyPlan {
  const { attribute, descending } = key;
  if (attribute === 'id') return { attribute, scalar: undefined, descending };
  const { type } = rankedAttribute(schema, attribute, `${path}[0]`);
  if (type.kind !== 'scalar') {
    throw invalidAt(`${path}[0]`, 'rows are ordered by scalar attributes only', {
      attribute,
      type: formatAttributeType(type),
    });
  }
  return { attribute, scalar: type.scalar, descending };
}

/** `id` is always answered and may be named. */
function planProjection(schema: Schema, projection: Projection): readonly string[] {
  const names = [...schema.attributes.keys()];
  switch (projection.kind) {
    case 'none':
      return [];
    case 'all':
      return names;
    case 'include':
    case 'exclude': {
      const unknown = projection.names.findIndex((name) => name !== 'id' && !schema.attributes.has(name));
      if (unknown >= 0) {
        const path = `${projection.kind}_attributes[${unknown}]`;
        throw invalidAt(path, 'unknown attribute', { attribute: projection.names[unknown] });
      }
      const wanted = new Set(projection.names);
      return names.filter((name) => wanted.has(name) === (projection.kind === 'include'));
    }
  }
}
