import type { MessageInitShape } from '@bufbuild/protobuf';
import { queryLimits } from '@lagoon/format';
import {
  ComparisonOperator,
  type FilterSchema,
  PatternOperator,
  TokenOperator,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import { asArray, asString, clip, refuseUnknownFields, wrongValue } from '../json/shape.ts';
import { parseFuzzyOptions, parseTokenOptions } from './parse-filter-options.ts';
import { isReference, parseValue, type ValueInit } from './parse-value.ts';

type FilterInit = MessageInitShape<typeof FilterSchema>;

const comparisons: Readonly<Record<string, ComparisonOperator>> = {
  Eq: ComparisonOperator.EQ,
  NotEq: ComparisonOperator.NOT_EQ,
  In: ComparisonOperator.IN,
  NotIn: ComparisonOperator.NOT_IN,
  Lt: ComparisonOperator.LT,
  Lte: ComparisonOperator.LTE,
  Gt: ComparisonOperator.GT,
  Gte: ComparisonOperator.GTE,
  AnyLt: ComparisonOperator.ANY_LT,
  AnyLte: ComparisonOperator.ANY_LTE,
  AnyGt: ComparisonOperator.ANY_GT,
  AnyGte: ComparisonOperator.ANY_GTE,
  Contains: ComparisonOperator.CONTAINS,
  NotContains: ComparisonOperator.NOT_CONTAINS,
  ContainsAny: ComparisonOperator.CONTAINS_ANY,
  NotContainsAny: ComparisonOperator.NOT_CONTAINS_ANY,
};

const patterns: Readonly<Record<string, PatternOperator>> = {
  Glob: PatternOperator.GLOB,
  NotGlob: PatternOperator.NOT_GLOB,
  IGlob: PatternOperator.I_GLOB,
  NotIGlob: PatternOperator.NOT_I_GLOB,
  Regex: PatternOperator.REGEX,
};

const tokens: Readonly<Record<string, TokenOperator>> = {
  ContainsAllTokens: TokenOperator.ALL,
  ContainsAnyToken: TokenOperator.ANY,
  ContainsTokenSequence: TokenOperator.SEQUENCE,
};

/** Whether the second element of an array makes it a comparison of the dialect. */
export function isOperatorName(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  return value === 'Fuzzy' || [comparisons, patterns, tokens].some((operators) => Object.hasOwn(operators, value));
}

/** Reads `[attribute, operator, value]`, `["And" | "Or", [filter…]]` or `["Not", filter]`. */
export function parseFilter(value: unknown, path: string): FilterInit {
  return parseNode(value, path, { nodeCount: 0, valueCount: 0, mayRefer: false }, 1);
}

/** The same for a condition of a write, whose values may be `{"$ref_new": attribute}`. */
export function parseCondition(value: unknown, path: string): FilterInit {
  return parseNode(value, path, { nodeCount: 0, valueCount: 0, mayRefer: true }, 1);
}

/** How much of the filter is read, and whether it may refer to what a write brings. */
interface FilterBudget {
  nodeCount: number;
  valueCount: number;
  readonly mayRefer: boolean;
}

function parseNode(value: unknown, path: string, budget: FilterBudget, depth: number): FilterInit {
  if (depth > queryLimits.filterDepthMax)
    throw wrongValue(path, 'the filter is nested too deeply', { max: queryLimits.filterDepthMax });
  if (++budget.nodeCount > queryLimits.filterNodeCountMax) {
    throw wrongValue(path, 'the filter has too many parts', { max: queryLimits.filterNodeCountMax });
  }
  const parts = asArray(value, path, 'a filter (an array)');
  if (parts.length !== 2) return parseLeaf(parts, path, budget);
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

function parseLeaf(parts: readonly unknown[], path: string, budget: FilterBudget): FilterInit {
  if (parts.length < 3 || parts.length > 4) {
    throw wrongValue(path, 'expected [attribute, operator, value]', { parts: parts.length });
  }
  const attribute = asString(parts[0], `${path}[0]`, 'the name of an attribute');
  const name = asString(parts[1], `${path}[1]`, 'an operator');
  if (name === 'Fuzzy') {
    const query = asString(parts[2], `${path}[2]`, 'a text');
    return { kind: { case: 'fuzzy', value: { attribute, query, ...parseFuzzyOptions(parts[3], `${path}[3]`) } } };
  }
  const token = Object.hasOwn(tokens, name) ? tokens[name] : undefined;
  if (token !== undefined) {
    const texts = parseTexts(parts[2], `${path}[2]`);
    const { lastAsPrefix } = parseTokenOptions(parts[3], `${path}[3]`);
    return { kind: { case: 'tokens', value: { attribute, operator: token, texts, lastAsPrefix } } };
  }
  if (parts.length === 4 && isOperatorName(name)) {
    throw wrongValue(`${path}[3]`, 'this operator takes no parameters', { operator: name });
  }
  const pattern = Object.hasOwn(patterns, name) ? patterns[name] : undefined;
  if (pattern !== undefined) {
    const text = asString(parts[2], `${path}[2]`, 'a pattern (a string)');
    return { kind: { case: 'pattern', value: { attribute, operator: pattern, pattern: text } } };
  }
  const operator = Object.hasOwn(comparisons, name) ? comparisons[name] : undefined;
  if (operator === undefined) throw wrongValue(`${path}[1]`, 'unknown operator', { found: clip(name) });
  const values = parseOperands(parts[2], operator, `${path}[2]`, budget);
  return { kind: { case: 'comparison', value: { attribute, operator, values } } };
}

/** A text, or an array of tokens. */
function parseTexts(value: unknown, path: string): string[] {
  if (!Array.isArray(value)) return [asString(value, path, 'a text or an array of tokens')];
  if (value.length > queryLimits.queryTermCountMax) {
    throw wrongValue(path, 'too many tokens', { found: value.length, max: queryLimits.queryTermCountMax });
  }
  return value.map((token, index) => asString(token, `${path}[${index}]`, 'a token (a string)'));
}

const listOperators: readonly ComparisonOperator[] = [
  ComparisonOperator.IN,
  ComparisonOperator.NOT_IN,
  ComparisonOperator.CONTAINS_ANY,
  ComparisonOperator.NOT_CONTAINS_ANY,
];

/** Whether the operator takes a list of values. */
export function takesList(operator: ComparisonOperator): boolean {
  return listOperators.includes(operator);
}

function parseOperands(value: unknown, operator: ComparisonOperator, path: string, budget: FilterBudget): ValueInit[] {
  const { mayRefer } = budget;
  const isOne = !takesList(operator) || (mayRefer && isReference(value));
  const values = isOne ? [value] : asArray(value, path, 'an array of values');
  if (values.length > queryLimits.inValueCountMax) {
    throw wrongValue(path, 'too many values', { found: values.length, max: queryLimits.inValueCountMax });
  }
  budget.valueCount += values.length;
  if (budget.valueCount > queryLimits.filterValueCountMax) {
    throw wrongValue(path, 'the filter has too many values', { max: queryLimits.filterValueCountMax });
  }
  const read = mayRefer ? parseConditionValue : parseValue;
  return values.map((element, index) => read(element, isOne ? path : `${path}[${index}]`));
}

function parseConditionValue(value: unknown, path: string): ValueInit {
  if (!isReference(value)) return parseValue(value, path);
  refuseUnknownFields(value, path, new Set(['$ref_new']));
  return { kind: { case: 'newValueOf', value: asString(value.$ref_new, `${path}.$ref_new`, 'an attribute') } };
}
