import { invalidArgument } from '@lagoon/base';
import { type AttributeType, formatAttributeType, type Schema } from '@lagoon/format';
import type { AggregatePlan, GroupKeyPlan, RankPlan } from './query-plan.ts';
import { type Aggregate, type GroupKey, queryLimits, type RankBy } from './query-spec.ts';

type Aggregation = Extract<RankBy, { readonly kind: 'aggregate' }>;

export function planAggregation(schema: Schema, { aggregates, groupBy }: Aggregation): RankPlan {
  if (aggregates.length === 0 || aggregates.length > queryLimits.aggregateCountMax) {
    throw invalidArgument('wrong number of aggregates', {
      count: aggregates.length,
      max: queryLimits.aggregateCountMax,
    });
  }
  if (groupBy.length > queryLimits.groupKeyCountMax) {
    throw invalidArgument('too many attributes in group_by', {
      count: groupBy.length,
      max: queryLimits.groupKeyCountMax,
    });
  }
  checkLabels([...aggregates, ...groupBy].map(({ label }) => label));
  return {
    kind: 'aggregate',
    aggregates: aggregates.map((one) => planAggregate(schema, one)),
    groupBy: groupBy.map((key) => planGroupKey(schema, key)),
  };
}

/** They are fields of one answer. */
function checkLabels(labels: readonly string[]): void {
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined) throw invalidArgument('two aggregates or group keys have one name', { name: twice });
}

function planAggregate(schema: Schema, { kind, label, attribute }: Aggregate): AggregatePlan {
  if (attribute === undefined || attribute === 'id') {
    if (kind === 'count') return { kind, label, attribute: undefined, type: undefined };
    throw invalidArgument('ids have no sum', { aggregate: label });
  }
  const type = typeOf(schema, attribute, 'aggregate_by');
  const isNumber = type.kind === 'scalar' && ['int', 'uint', 'float'].includes(type.scalar);
  if (kind === 'sum' && !isNumber) {
    throw invalidArgument('only int, uint and float attributes have a sum', {
      aggregate: label,
      attribute,
      type: formatAttributeType(type),
    });
  }
  return { kind, label, attribute, type };
}

function planGroupKey(schema: Schema, { label, attribute, eachElement }: GroupKey): GroupKeyPlan {
  if (attribute === 'id') throw invalidArgument('rows are not grouped by their id');
  const type = typeOf(schema, attribute, 'group_by');
  const context = { attribute, type: formatAttributeType(type) };
  if (!('scalar' in type)) throw invalidArgument('rows are not grouped by such an attribute', context);
  if (type.kind === 'array' && !eachElement) {
    throw invalidArgument('rows are grouped by the elements of an array: use ["ForEachUnique", attribute]', context);
  }
  if (type.kind === 'scalar' && eachElement) throw invalidArgument('ForEachUnique needs an array', context);
  return { label, attribute, type };
}

function typeOf(schema: Schema, name: string, where: string): AttributeType {
  const attribute = schema.attributes.get(name);
  if (attribute === undefined) throw invalidArgument(`unknown attribute in ${where}`, { attribute: name });
  return attribute.type;
}
