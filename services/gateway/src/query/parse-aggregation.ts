import type { MessageInitShape } from '@bufbuild/protobuf';
import { queryLimits } from '@lagoon/format';
import {
  AggregateFunction,
  type AggregateSchema,
  type AggregationSchema,
  type GroupKeySchema,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import { asArray, asObject, asOneOf, asString, clip, isObject, type JsonObject, wrongValue } from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';

type AggregateInit = MessageInitShape<typeof AggregateSchema>;
type GroupKeyInit = MessageInitShape<typeof GroupKeySchema>;

/** `aggregate_by` and `group_by` of a query that answers numbers instead of rows. */
export function parseAggregation(body: JsonObject): MessageInitShape<typeof AggregationSchema> {
  const aggregateBy = asObject(body.aggregate_by, 'aggregate_by');
  const aggregates = Object.entries(aggregateBy).map(([label, value]) => parseAggregate(label, value));
  if (aggregates.length === 0 || aggregates.length > queryLimits.aggregateCountMax) {
    throw wrongValue('aggregate_by', 'too few or too many aggregates', {
      found: aggregates.length,
      max: queryLimits.aggregateCountMax,
    });
  }
  if (!isGiven(body.group_by)) return { aggregates };
  const keys = asArray(body.group_by, 'group_by', 'an array of attributes');
  if (keys.length === 0 || keys.length > queryLimits.groupKeyCountMax) {
    throw wrongValue('group_by', 'too few or too many attributes', {
      found: keys.length,
      max: queryLimits.groupKeyCountMax,
    });
  }
  return { aggregates, groupBy: keys.map((key, index) => parseGroupKey(key, `group_by[${index}]`)) };
}

const countForm = '["Count"], ["Count", attribute] or ["Sum", attribute]';

function parseAggregate(label: string, value: unknown): AggregateInit {
  const path = `aggregate_by.${clip(label)}`;
  const parts = asArray(value, path, countForm);
  const kind = asOneOf(parts[0], `${path}[0]`, ['Count', 'Sum']);
  if (parts.length === 1 && kind === 'Count') return { label, function: AggregateFunction.COUNT };
  if (parts.length !== 2) throw wrongValue(path, `expected ${countForm}`, { found: parts.length });
  const attribute = asString(parts[1], `${path}[1]`, 'the name of an attribute');
  return { label, function: kind === 'Count' ? AggregateFunction.COUNT : AggregateFunction.SUM, attribute };
}

function parseGroupKey(value: unknown, path: string): GroupKeyInit {
  if (!isObject(value)) {
    const attribute = asString(value, path, 'the name of an attribute or {label: ["ForEachUnique", attribute]}');
    return { label: attribute, attribute, eachElement: false };
  }
  const [entry, ...others] = Object.entries(value);
  if (entry === undefined || others.length > 0) {
    throw wrongValue(path, 'expected one label', { found: entry === undefined ? 0 : others.length + 1 });
  }
  const [label, key] = entry;
  const keyPath = `${path}.${clip(label)}`;
  const parts = asArray(key, keyPath, '["ForEachUnique", attribute]');
  asOneOf(parts[0], `${keyPath}[0]`, ['ForEachUnique']);
  if (parts.length !== 2) throw wrongValue(keyPath, 'expected ["ForEachUnique", attribute]', { found: parts.length });
  return { label, attribute: asString(parts[1], `${keyPath}[1]`, 'the name of an attribute'), eachElement: true };
}
