import type { AttributeValue } from '@lagoon/format';

/** A query on one namespace, as plain values. Attribute names are as the user gave them; types come from the schema. */
export interface QuerySpec {
  readonly rankBy: RankBy;
  readonly filter?: Filter;
  readonly limit: number;
  readonly projection: Projection;
}

export type RankBy =
  | { readonly kind: 'vector'; readonly attribute: string; readonly query: Float32Array; readonly exact: boolean }
  | { readonly kind: 'text'; readonly attribute: string; readonly query: string }
  | { readonly kind: 'order'; readonly keys: readonly OrderKey[] };

export interface OrderKey {
  readonly attribute: string; // or 'id'
  readonly descending: boolean;
}

export type Filter =
  | { readonly kind: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly kind: 'not'; readonly filter: Filter }
  | {
      readonly kind: 'comparison';
      readonly attribute: string; // or 'id'
      readonly operator: ComparisonOperator;
      /** Exactly one, but for `in` and `notIn`; untyped as JSON is, converted by the schema when the query is planned. */
      readonly values: readonly AttributeValue[];
    };

export type ComparisonOperator = 'eq' | 'notEq' | 'in' | 'notIn' | 'lt' | 'lte' | 'gt' | 'gte';

export type Projection =
  | { readonly kind: 'none' | 'all' }
  | { readonly kind: 'include' | 'exclude'; readonly names: readonly string[] };

export interface ConsistencySpec {
  readonly level: 'strong' | 'eventual';
  /** Only eventual. */
  readonly stalenessMsMax: number;
  /** 0: none. */
  readonly generationMin: number;
}

export const queryLimits = {
  filterDepthMax: 64,
  filterNodeCountMax: 10_000,
  inValueCountMax: 10_000,
  orderKeyCountMax: 8,
  queryTextBytesMax: 16 << 10,
  /** Terms of a query text, repeated ones counted. */
  queryTermCountMax: 1_024,
} as const;
