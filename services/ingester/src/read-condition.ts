import { invalidArgument, unreachable } from '@lagoon/base';
import { type AttributeValue, formatUuid } from '@lagoon/format';
import {
  type Comparison,
  type Filter as FilterMessage,
  ComparisonOperator as OperatorMessage,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { Value } from '@lagoon/proto/lagoon/v1/value_pb.js';
import { type ComparisonOperator, queryLimits } from '@lagoon/query';
import type { Condition, ConditionValue } from './condition.ts';

/** A condition as it came; whether it fits the namespace, its schema says. */
export function readCondition(message: FilterMessage): Condition {
  return readNode(message, true, 1);
}

/** The same without references to new values: there is no new document beside a filter. */
export function readFilter(message: FilterMessage | undefined): Condition {
  if (message === undefined) throw invalidArgument('a write by filter has a filter');
  return readNode(message, false, 1);
}

function readNode(message: FilterMessage, mayRefer: boolean, depth: number): Condition {
  if (depth > queryLimits.filterDepthMax) {
    throw invalidArgument('filter is nested too deeply', { depthMax: queryLimits.filterDepthMax });
  }
  const { kind } = message;
  switch (kind.case) {
    case 'and':
    case 'or':
      return {
        kind: kind.case,
        conditions: kind.value.filters.map((inner) => readNode(inner, mayRefer, depth + 1)),
      };
    case 'not':
      return { kind: 'not', condition: readNode(kind.value, mayRefer, depth + 1) };
    case 'comparison':
      return readComparison(kind.value, mayRefer);
    case undefined:
      throw invalidArgument('a filter says what it compares');
    default:
      return unreachable(kind, 'filter');
  }
}

function readComparison({ attribute, operator, values }: Comparison, mayRefer: boolean): Condition {
  return {
    kind: 'comparison',
    attribute,
    operator: readOperator(operator, attribute),
    values: values.map((value) => readValue(value, mayRefer)),
  };
}

function readOperator(operator: OperatorMessage, attribute: string): ComparisonOperator {
  switch (operator) {
    case OperatorMessage.EQ:
      return 'eq';
    case OperatorMessage.NOT_EQ:
      return 'notEq';
    case OperatorMessage.IN:
      return 'in';
    case OperatorMessage.NOT_IN:
      return 'notIn';
    case OperatorMessage.LT:
      return 'lt';
    case OperatorMessage.LTE:
      return 'lte';
    case OperatorMessage.GT:
      return 'gt';
    case OperatorMessage.GTE:
      return 'gte';
    default:
      throw invalidArgument('unknown operator in a filter', { attribute, operator });
  }
}

function readValue(message: Value, mayRefer: boolean): ConditionValue {
  const { kind } = message;
  switch (kind.case) {
    case undefined:
      return null;
    case 'arrayValue':
      return kind.value.values.map(readScalar);
    case 'newValueOf':
      if (!mayRefer) throw invalidArgument('$ref_new has a meaning in conditions only', { attribute: kind.value });
      return { newValueOf: kind.value };
    default:
      return readScalar(message);
  }
}

function readScalar({ kind }: Value): Exclude<AttributeValue, null | Float32Array | readonly unknown[]> {
  switch (kind.case) {
    case 'stringValue':
    case 'intValue':
    case 'uintValue':
    case 'floatValue':
    case 'boolValue':
    case 'bytesValue':
    case 'datetimeValue':
      return kind.value;
    case 'uuidValue':
      if (kind.value.length !== 16) throw invalidArgument('a uuid has 16 bytes', { bytes: kind.value.length });
      return formatUuid(kind.value);
    default:
      throw invalidArgument('a condition compares scalars and arrays of them', { found: kind.case ?? 'null' });
  }
}
