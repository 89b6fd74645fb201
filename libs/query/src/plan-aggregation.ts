import { invalidAt } from '@lagoon/base';
import { type AttributeType, formatAttributeType, queryLimits, type Schema } from '@lagoon/format';
import type { AggregatePlan, GroupKeyPlan, RankPlan } from './query-plan.ts';
import type { Aggregate, GroupKey, RankBy } from './query-spec.ts';

type Aggregation = Extract<RankBy, { readonly kind: 'aggregate' }>;

export function planAggregation(schema: Schema, { aggregates, groupBy }: Aggregation): RankPlan {
  if (aggregates.length === 0 || aggregates.length > queryLimits.aggregateCountMax) {
    throw invalidAt('aggregate_by', 'wrong number of aggregates', {
      count: aggregates.length,
      max: queryLimits.aggregateCountMax,
    });
  }
  if (groupBy.length > queryLimits.groupKeyCountMax) {
    throw invalidAt('group_by', 'too many attributes', {
      count: groupBy.length,
      max: queryLimits.groupKeyCountMax,
    });
  }
  checkLabels([
    ...aggregates.map(({ label }) => [label, `aggregate_by.${label}`] as const),
    ...groupBy.map(({ label }, i) => [label, `group_by[${i}]`] as const),
  ]);
  return {
    kind: 'aggregate',
    aggregates: aggregates.map((one) => planAggregate(schema, one)),
    groupBy: groupBy.map((key, i) => planGroupKey(schema, key, `group_by[${i}]`)),
  };
}

/** They are fields of one answer. */
function checkLabels(labels: readonly (readonly [label: string, path: string])[]): void {
  const seen = new Set<string>();
  for (const [name, path] of labels) {
    if (seen.has(name)) throw invalidAt(path, 'two aggregates or group keys have one name', { name });
    seen.add(name);
  }
}

function planAggregate(schema: Schema, { kind, label, attribute }: Aggregate): AggregatePlan {
  const path = `aggregate_by.${label}[1]`;
  if (attribute === undefined || attribute === 'id') {
    if (kind === 'count') return { kind, label, attribute: undefined, type: undefined };
    throw invalidAt(path, 'ids have no sum', { aggregate: label });
  }
  const type = typeOf(schema, attribute, path);
  const isNumber = type.kind === 'scalar' && ['int', 'uint', 'float'].includes(type.scalar);
  if (kind === 'sum' && !isNumber) {
    throw invalidAt(path, 'only int, uint and float attributes have a sum', {
      aggregate: label,
      attribute,
      type: formatAttributeType(type),
    });
  }
  return { kind, label, attribute, type };
}

function planGroupKey(schema: Schema, { label, attribute, eachElement }: GroupKey, place: string): GroupKeyPlan {
  const path = eachElement ? `${place}.${label}[1]` : place;
  if (attribute === 'id') throw invalidAt(path, 'rows are not grouped by their id');
  const type = typeOf(schema, attribute, path);
  const context = { attribute, type: formatAttributeType(type) };
  if (!('scalar' in type)) throw invalidAt(path, 'rows are not grouped by such an attribute', context);
  if (type.kind === 'array' && !eachElement) {
    throw invalidAt(path, 'rows are grouped by the elements of an array: use ["ForEachUnique", attribute]', context);
  }
  if (type.kind === 'scalar' && eachElement) throw invalidAt(path, 'ForEachUnique needs an array', context);
  return { label, attribute, type };
}

function typeOf(schema: Schema, name: string, path: string): AttributeType {
  const attribute = schema.attributes.get(name);
  if (attribute === undefined) throw invalidAt(path, 'unknown attribute', { attribute: name });
  return attribute.type;
}
