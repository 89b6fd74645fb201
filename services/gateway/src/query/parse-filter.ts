import type { MessageInitShape } from '@bufbuild/protobuf';
import { unimplemented } from '@lagoon/base';
import { ComparisonOperator, type FilterSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { ValueSchema } from '@lagoon/proto/lagoon/v1/value_pb.js';
import {
  asArray,
  asString,
  clip,
  describe,
  isObject,
  refuseUnknownFields,
  wrongShape,
  wrongValue,
} from '../json/shape.ts';

type FilterInit = MessageInitShape<typeof FilterSchema>;
type ValueInit = MessageInitShape<typeof ValueSchema>;

export const filterLimits = { depthMax: 64, nodeCountMax: 10_000, valueCountMax: 10_000 } as const;

const operators: Readonly<Record<string, ComparisonOperator>> = {
  Eq: ComparisonOperator.EQ,
  NotEq: ComparisonOperator.NOT_EQ,
  In: ComparisonOperator.IN,
  NotIn: ComparisonOperator.NOT_IN,
  Lt: ComparisonOperator.LT,
  Lte: ComparisonOperator.LTE,
  Gt: ComparisonOperator.GT,
  Gte: ComparisonOperator.GTE,
};

const unservedOperators: ReadonlySet<string> = new Set([
  'AnyLt',
  'AnyLte',
  'AnyGt',
  'AnyGte',
  'Contains',
  'NotContains',
  'ContainsAny',
  'NotContainsAny',
  'Glob',
  'NotGlob',
  'IGlob',
  'NotIGlob',
  'Regex',
  'Fuzzy',
  'ContainsAllTokens',
  'ContainsAnyToken',
  'ContainsTokenSequence',
]);

/** Whether the second element of an array makes it a comparison of the dialect, served or not. */
export function isOperatorName(value: unknown): boolean {
  return typeof value === 'string' && (Object.hasOwn(operators, value) || unservedOperators.has(value));
}

/** Reads `[attribute, operator, value]`, `["And" | "Or", [filter…]]` or `["Not", filter]`. */
export function parseFilter(value: unknown, path: string): FilterInit {
  return parseNode(value, path, { nodeCount: 0, mayRefer: false }, 1);
}

/** The same for a condition of a write, whose values may be `{"$ref_new": attribute}`. */
export function parseCondition(value: unknown, path: string): FilterInit {
  return parseNode(value, path, { nodeCount: 0, mayRefer: true }, 1);
}

/** How much of the filter is read, and whether it may refer to what a write brings. */
interface FilterBudget {
  nodeCount: number;
  readonly mayRefer: boolean;
}

function parseNode(value: unknown, path: string, budget: FilterBudget, depth: number): FilterInit {
  if (depth > filterLimits.depthMax)
    throw wrongValue(path, 'the filter is nested too deeply', { max: filterLimits.depthMax });
  if (++budget.nodeCount > filterLimits.nodeCountMax) {
    throw wrongValue(path, 'the filter has too many parts', { max: filterLimits.nodeCountMax });
  }
  const parts = asArray(value, path, 'a filter (an array)');
  if (parts.length !== 2) return parseComparison(parts, path, budget.mayRefer);
  const name = asString(parts[0], `${path}[0]`, 'And, Or, Not or an attribute');
  switch (name) {
    case 'And':
    case 'Or': {
      const list = asArray(parts[1], `${path}[1]`, 'an array of filters');
      const filters = list.map((part, index) => parseNode(part, `${path}[1][${index}]`, budget, depth + 1));
      return { kind: { case: name === 'And' ? 'and' : 'or', value: { filters } } };
    }
    case 'Not':
      return { kind: { case: 'not', value: parseNode(parts[1], `${path}[1]`, budget, depth + 1) } };
    default:
      throw wrongValue(path, 'a filter of two parts begins with And, Or or Not', { found: clip(name) });
  }
}

function parseComparison(parts: readonly unknown[], path: string, mayRefer: boolean): FilterInit {
  if (parts.length < 3 || parts.length > 4) {
    throw wrongValue(path, 'expected [attribute, operator, value]', { parts: parts.length });
  }
  const attribute = asString(parts[0], `${path}[0]`, 'the name of an attribute');
  const name = asString(parts[1], `${path}[1]`, 'an operator');
  if (unservedOperators.has(name)) throw unimplemented(`filter ${name} (${path})`);
  const operator = Object.hasOwn(operators, name) ? operators[name] : undefined;
  if (operator === undefined) throw wrongValue(`${path}[1]`, 'unknown operator', { found: clip(name) });
  if (parts.length === 4) throw wrongValue(`${path}[3]`, 'this operator takes no parameters', { operator: name });
  const where = `${path}[2]`;
  const read = mayRefer ? parseConditionValue : parseValue;
  const isOne = !isList(operator) || (mayRefer && isReference(parts[2]));
  const values = isOne ? [read(parts[2], where)] : parseValues(parts[2], where, read);
  return { kind: { case: 'comparison', value: { attribute, operator, values } } };
}

function isList(operator: ComparisonOperator): boolean {
  return operator === ComparisonOperator.IN || operator === ComparisonOperator.NOT_IN;
}

function parseValues(value: unknown, path: string, read: typeof parseValue): ValueInit[] {
  const values = asArray(value, path, 'an array of values');
  if (values.length > filterLimits.valueCountMax) {
    throw wrongValue(path, 'too many values', { found: values.length, max: filterLimits.valueCountMax });
  }
  return values.map((element, index) => read(element, `${path}[${index}]`));
}

function isReference(value: unknown): value is { readonly $ref_new: unknown } {
  return isObject(value) && '$ref_new' in value;
}

function parseConditionValue(value: unknown, path: string): ValueInit {
  if (!isReference(value)) return parseValue(value, path);
  refuseUnknownFields(value, path, new Set(['$ref_new']));
  return { kind: { case: 'newValueOf', value: asString(value.$ref_new, `${path}.$ref_new`, 'an attribute') } };
}

const i64Min = -(1n << 63n);
const i64Max = (1n << 63n) - 1n;
const u64Max = (1n << 64n) - 1n;

/** A JSON value as a value without a schema: the query node gives it the attribute's type. */
export function parseValue(value: unknown, path: string): ValueInit {
  switch (typeof value) {
    case 'string':
      return { kind: { case: 'stringValue', value: asString(value, path) } };
    case 'boolean':
      return { kind: { case: 'boolValue', value } };
    case 'bigint':
      return integerValue(value, path);
    case 'number':
      if (!Number.isFinite(value)) throw wrongValue(path, 'the number is out of range');
      return Number.isSafeInteger(value) ? integerValue(BigInt(value), path) : { kind: { case: 'floatValue', value } };
    default:
      return structuredValue(value, path);
  }
}

function integerValue(value: bigint, path: string): ValueInit {
  if (value < i64Min || value > u64Max) throw wrongValue(path, 'the integer does not fit 64 bits', { found: value });
  return { kind: value > i64Max ? { case: 'uintValue', value } : { case: 'intValue', value } };
}

function structuredValue(value: unknown, path: string): ValueInit {
  if (value === null) return {};
  if (isObject(value)) {
    if (isReference(value)) throw wrongValue(path, '$ref_new has a meaning in conditions of a write only');
    throw wrongShape(path, 'a scalar or an array', value);
  }
  if (!Array.isArray(value)) throw wrongShape(path, 'a scalar or an array', value);
  if (value.length > filterLimits.valueCountMax) {
    throw wrongValue(path, 'too many values', { found: value.length, max: filterLimits.valueCountMax });
  }
  const values = value.map((element, index) => {
    if (element === null || typeof element === 'object') {
      throw wrongValue(`${path}[${index}]`, `expected a scalar, found ${describe(element)}`);
    }
    return parseValue(element, `${path}[${index}]`);
  });
  return { kind: { case: 'arrayValue', value: { values } } };
}
