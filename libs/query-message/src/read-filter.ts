import { inPlace, invalidAt, unreachable } from '@lagoon/base';
import type { AttributeValue } from '@lagoon/format';
import { queryLimits } from '@lagoon/format';
import {
  ComparisonOperator as ComparisonMessage,
  type Filter as FilterMessage,
  PatternOperator as PatternMessage,
  TokenOperator as TokenMessage,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { Value } from '@lagoon/proto/lagoon/v1/value_pb.js';
import {
  type ComparisonOperator,
  checkFilter,
  type Filter,
  type PatternOperator,
  type TokenOperator,
} from '@lagoon/query';
import { readValue } from './read-value.ts';

/** A value of a condition: also what the write makes of an attribute of the same document. */
export type ConditionValue = AttributeValue | NewValueOf;

export interface NewValueOf {
  readonly newValueOf: string;
}

/** `invalid_argument` for what is no filter, whatever the schema. `path`: the field of the request that it stands in. */
export function readFilter(message: FilterMessage, path: string): Filter {
  const filter = readNode(message, path, 1, readValue);
  checkFilter(filter, path);
  return filter;
}

export function readCondition(message: FilterMessage, path: string): Filter<ConditionValue> {
  const condition = readNode(message, path, 1, readConditionValue);
  checkFilter(condition, path);
  return condition;
}

function readConditionValue(message: Value): ConditionValue {
  const { kind } = message;
  return kind.case === 'newValueOf' ? { newValueOf: kind.value } : readValue(message);
}

function readNode<V>(message: FilterMessage, path: string, depth: number, read: (value: Value) => V): Filter<V> {
  if (depth > queryLimits.filterDepthMax) {
    throw invalidAt(path, 'the filter is nested too deeply', { depthMax: queryLimits.filterDepthMax });
  }
  const { kind } = message;
  switch (kind.case) {
    case 'and':
    case 'or':
      return {
        kind: kind.case,
        filters: kind.value.filters.map((inner, i) => readNode(inner, `${path}[1][${i}]`, depth + 1, read)),
      };
    case 'not':
      return { kind: 'not', filter: readNode(kind.value, `${path}[1]`, depth + 1, read) };
    case 'comparison': {
      const { attribute, values } = kind.value;
      const operator = known(comparisonOperators[kind.value.operator], path, kind.value.operator);
      return {
        kind: 'comparison',
        attribute,
        operator,
        values: values.map((value) => inPlace(`${path}[2]: `, () => read(value))),
      };
    }
    case 'pattern': {
      const { attribute, pattern } = kind.value;
      return {
        kind: 'pattern',
        attribute,
        operator: known(patternOperators[kind.value.operator], path, kind.value.operator),
        pattern,
      };
    }
    case 'fuzzy': {
      const { attribute, query, maxEditDistance, caseSensitive = true } = kind.value;
      const steps = maxEditDistance.map(({ minQueryChars, distance }) => ({ minQueryChars, distance }));
      return { kind: 'fuzzy', attribute, query, maxEditDistance: steps, caseSensitive };
    }
    case 'tokens': {
      const { attribute, texts, lastAsPrefix } = kind.value;
      const operator = known(tokenOperators[kind.value.operator], path, kind.value.operator);
      return { kind: 'tokens', attribute, operator, texts, lastAsPrefix };
    }
    case undefined:
      throw invalidAt(path, 'expected a filter, found nothing');
    default:
      return unreachable(kind, 'filter');
  }
}

type Operators<Message extends number, Operator> = { readonly [operator in Message]: Operator | undefined };

const comparisonOperators: Operators<ComparisonMessage, ComparisonOperator> = {
  [ComparisonMessage.UNSPECIFIED]: undefined,
  [ComparisonMessage.EQ]: 'eq',
  [ComparisonMessage.NOT_EQ]: 'notEq',
  [ComparisonMessage.IN]: 'in',
  [ComparisonMessage.NOT_IN]: 'notIn',
  [ComparisonMessage.LT]: 'lt',
  [ComparisonMessage.LTE]: 'lte',
  [ComparisonMessage.GT]: 'gt',
  [ComparisonMessage.GTE]: 'gte',
  [ComparisonMessage.ANY_LT]: 'anyLt',
  [ComparisonMessage.ANY_LTE]: 'anyLte',
  [ComparisonMessage.ANY_GT]: 'anyGt',
  [ComparisonMessage.ANY_GTE]: 'anyGte',
  [ComparisonMessage.CONTAINS]: 'contains',
  [ComparisonMessage.NOT_CONTAINS]: 'notContains',
  [ComparisonMessage.CONTAINS_ANY]: 'containsAny',
  [ComparisonMessage.NOT_CONTAINS_ANY]: 'notContainsAny',
};

const patternOperators: Operators<PatternMessage, PatternOperator> = {
  [PatternMessage.UNSPECIFIED]: undefined,
  [PatternMessage.GLOB]: 'glob',
  [PatternMessage.NOT_GLOB]: 'notGlob',
  [PatternMessage.I_GLOB]: 'iGlob',
  [PatternMessage.NOT_I_GLOB]: 'notIGlob',
  [PatternMessage.REGEX]: 'regex',
};

const tokenOperators: Operators<TokenMessage, TokenOperator> = {
  [TokenMessage.UNSPECIFIED]: undefined,
  [TokenMessage.ALL]: 'all',
  [TokenMessage.ANY]: 'any',
  [TokenMessage.SEQUENCE]: 'sequence',
};

/** A message may hold any number. */
function known<Operator>(operator: Operator | undefined, path: string, found: number): Operator {
  if (operator === undefined) throw invalidAt(`${path}[1]`, 'unknown operator in a filter', { found });
  return operator;
}
