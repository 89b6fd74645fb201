import { invalidAt } from '@lagoon/base';
import { type AttributeSchema, formatAttributeType, limits, queryLimits, type Schema } from '@lagoon/format';
import { checkLimitPer } from './limit-per.ts';
import { planAggregation } from './plan-aggregation.ts';
import { planFilter } from './plan-filter.ts';
import { planHighlights } from './plan-highlights.ts';
import { planQueryVector } from './plan-query-vector.ts';
import { planScore } from './plan-score.ts';
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
      return planVector(rankedAttribute(schema, rankBy.attribute, 'rank_by[0]'), { recall, ...rankBy });
    case 'text':
      return { kind: 'text', score: planScore(schema, rankBy.expression, 'rank_by') };
    case 'sparse':
      return planSparse(rankedAttribute(schema, rankBy.attribute, 'rank_by[0]'), rankBy);
    case 'order':
      return planOrder(schema, rankBy.keys);
    case 'aggregate':
      return planAggregation(schema, rankBy);
  }
}

function rankedAttribute(schema: Schema, name: string, path: string): AttributeSchema {
  const attribute = schema.attributes.get(name);
  if (attribute === undefined) throw invalidAt(path, 'unknown attribute in rank_by', { attribute: name });
  return attribute;
}

/** Of ANN queries where neither they nor the namespace name one. */
const recallDefault = 0.95;

function planVector(
  attribute: AttributeSchema,
  { attribute: name, query, exact, recall }: Required<Extract<RankBy, { readonly kind: 'vector' }>>,
): RankPlan {
  const { type } = attribute;
  if (type.kind !== 'vector') {
    throw invalidAt('rank_by[0]', 'attribute is not a vector', { attribute: name, type: formatAttributeType(type) });
  }
  if (query.length !== type.dims) {
    throw invalidAt('rank_by[2]', 'query vector has the wrong number of dimensions', {
      attribute: name,
      expected: type.dims,
      found: query.length,
    });
  }
  const vector = planQueryVector(type, query, name);
  if (!(recall > 0 && recall <= 1)) throw invalidAt('recall', 'out of range', { recall, above: 0, max: 1 });
  const metric = attribute.ann?.distanceMetric ?? 'cosine_distance';
  return {
    ...{ kind: 'vector', attribute: name, metric, element: type.element, query: vector },
    recall: exact || recall === 1 ? undefined : recall,
  };
}

function planSparse(
  { type, sparseKnn }: AttributeSchema,
  { attribute, query }: Extract<RankBy, { readonly kind: 'sparse' }>,
): RankPlan {
  if (sparseKnn !== true) {
    throw invalidAt('rank_by[0]', 'attribute has no sparse_knn', { attribute, type: formatAttributeType(type) });
  }
  if (query.length > queryLimits.sparseEntryCountMax) {
    const countMax = queryLimits.sparseEntryCountMax;
    throw invalidAt('rank_by[2]', 'sparse query has too many dimensions', { attribute, count: query.length, countMax });
  }
  const isInOrder = query.every(({ dimension }, i) => i === 0 || dimension > (query[i - 1]?.dimension ?? 0));
  if (!isInOrder || !query.every(({ weight }) => Number.isFinite(weight))) {
    throw invalidAt('rank_by[2]', 'sparse query is not in the order of its dimensions, or not finite', { attribute });
  }
  return { kind: 'sparse', attribute, query };
}

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
