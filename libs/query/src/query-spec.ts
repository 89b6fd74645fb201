import type { SparseEntry } from '@lagoon/format';
import type { FragmentUnit, OffsetUnit } from '@lagoon/text';
import type { Filter } from './filter.ts';
import type { ScoreExpression } from './score-expression.ts';

/** A query on one namespace, as plain values. Attribute names are as the user gave them; types come from the schema. */
export interface QuerySpec {
  readonly rankBy: RankBy;
  /** One that `checkFilter` let pass. */
  readonly filter?: Filter;
  readonly limit: number;
  /** Absent: rows of all kinds. */
  readonly limitPer?: LimitPer;
  readonly projection: Projection;
  readonly highlights?: readonly HighlightSpec[];
  readonly values?: readonly ValueSpec[];
  /** Says what was done, step by step. */
  readonly traced?: boolean;
  /** Of one of several, as `queries[1].`: in front of what is wrong with it. */
  readonly place?: string;
}

/** A number that is computed for each answered row: its distance, product or score by another ranking than that of the query. */
export interface ValueSpec {
  /** What the answer calls it. */
  readonly name: string;
  readonly of: Extract<RankBy, { readonly kind: 'vector' | 'text' | 'sparse' }>;
}

/** Fragments of a text that hold words of the query, answered beside the attributes of each row. */
export interface HighlightSpec {
  /** What the answer calls it. */
  readonly name: string;
  readonly attribute: string;
  readonly fragmentBy: FragmentUnit;
  readonly fragmentLimit: number;
  /** Undefined: no offsets are answered. */
  readonly offsetUnit: OffsetUnit | undefined;
  /** Whose BM25 clauses over the attribute name the words; undefined: those of the ranking. */
  readonly wordsOf: ScoreExpression | undefined;
}

export type RankBy =
  | {
      readonly kind: 'vector';
      readonly attribute: string;
      readonly query: Float32Array;
      readonly exact: boolean;
      readonly recall?: number;
    }
  | { readonly kind: 'text'; readonly expression: ScoreExpression }
  /** Entries in the order of their dimensions, each once. */
  | { readonly kind: 'sparse'; readonly attribute: string; readonly query: readonly SparseEntry[] }
  | { readonly kind: 'order'; readonly keys: readonly OrderKey[] }
  /** No rows but numbers over them: `limit` counts groups. */
  | { readonly kind: 'aggregate'; readonly aggregates: readonly Aggregate[]; readonly groupBy: readonly GroupKey[] };

/** No more than `limit` rows that are equal in all these attributes. */
export interface LimitPer {
  readonly attributes: readonly string[];
  readonly limit: number;
}

export interface Aggregate {
  readonly kind: 'count' | 'sum';
  /** What the answer calls it. */
  readonly label: string;
  /** Values that are present are counted; undefined: rows. */
  readonly attribute: string | undefined;
}

export interface GroupKey {
  readonly label: string;
  readonly attribute: string;
  /** Of an array attribute: a group for each of its elements. */
  readonly eachElement: boolean;
}

export interface OrderKey {
  readonly attribute: string; // or 'id'
  readonly descending: boolean;
}

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
