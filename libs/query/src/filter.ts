import type { AttributeValue } from '@lagoon/format';

/**
 * A filter as it is asked, attribute names as the user gave them, `id` among them; checked and typed by the schema when it is
 * planned. `V` is what stands for a value: in conditions of a write also a reference to what the write brings.
 */
export type Filter<V = AttributeValue> =
  | { readonly kind: 'and' | 'or'; readonly filters: readonly Filter<V>[] }
  | { readonly kind: 'not'; readonly filter: Filter<V> }
  | Comparison<V>
  | PatternFilter
  | FuzzyFilter
  | TokenFilter;

export interface Comparison<V = AttributeValue> {
  readonly kind: 'comparison';
  readonly attribute: string;
  readonly operator: ComparisonOperator;
  /** Exactly one, but for the operators of lists; untyped as JSON is. */
  readonly values: readonly V[];
}

export const comparisonOperators = {
  eq: 'Eq',
  notEq: 'NotEq',
  in: 'In',
  notIn: 'NotIn',
  lt: 'Lt',
  lte: 'Lte',
  gt: 'Gt',
  gte: 'Gte',
  anyLt: 'AnyLt',
  anyLte: 'AnyLte',
  anyGt: 'AnyGt',
  anyGte: 'AnyGte',
  contains: 'Contains',
  notContains: 'NotContains',
  containsAny: 'ContainsAny',
  notContainsAny: 'NotContainsAny',
} as const;
/** By the name that the dialect gives it. */
export type ComparisonOperator = keyof typeof comparisonOperators;

const listOperators: readonly ComparisonOperator[] = ['in', 'notIn', 'containsAny', 'notContainsAny'];

/** Whether the operator takes any number of values. */
export function takesList(operator: ComparisonOperator): boolean {
  return listOperators.includes(operator);
}

/** A text, or any element of an array of texts, matches a pattern. */
export interface PatternFilter {
  readonly kind: 'pattern';
  readonly attribute: string;
  readonly operator: PatternOperator;
  readonly pattern: string;
}

export const patternOperators = {
  glob: 'Glob',
  notGlob: 'NotGlob',
  iGlob: 'IGlob',
  notIGlob: 'NotIGlob',
  regex: 'Regex',
} as const;
export type PatternOperator = keyof typeof patternOperators;

/** Some part of a text is at most so many edits away from the query. */
export interface FuzzyFilter {
  readonly kind: 'fuzzy';
  readonly attribute: string;
  readonly query: string;
  readonly maxEditDistance: readonly EditDistance[];
  readonly caseSensitive: boolean;
}

/** How many edits a query of at least so many characters may have. */
export interface EditDistance {
  readonly minQueryChars: number;
  readonly distance: number;
}

/** On the terms of an attribute with full-text search. */
export interface TokenFilter {
  readonly kind: 'tokens';
  readonly attribute: string;
  readonly operator: TokenOperator;
  /** Texts whose terms follow each other: one, or tokens. */
  readonly texts: readonly string[];
  readonly lastAsPrefix: boolean;
}

export const tokenOperators = {
  all: 'ContainsAllTokens',
  any: 'ContainsAnyToken',
  sequence: 'ContainsTokenSequence',
} as const;
export type TokenOperator = keyof typeof tokenOperators;
