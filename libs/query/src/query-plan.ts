import type {
  AttributeType,
  DistanceMetric,
  FullTextSearch,
  IdKind,
  ScalarType,
  SparseEntry,
  VectorElement,
} from '@lagoon/format';
import type { FragmentUnit, OffsetUnit } from '@lagoon/text';
import type { TokenOperator } from './filter.ts';
import type { LimitPer } from './query-spec.ts';

/**
 * A query that was checked against the schema: every name exists, every operand has its attribute's type. Plain data, so that
 * it crosses to a worker as it is.
 */
export interface QueryPlan {
  readonly rank: RankPlan;
  readonly filter: FilterPlan | undefined;
  readonly limit: number;
  readonly limitPer: LimitPer | undefined;
  /** Attributes to answer, in the schema's order. */
  readonly projection: readonly string[];
  readonly highlights: readonly HighlightPlan[];
  readonly values: readonly ValuePlan[];
  readonly traced: boolean;
}

/** A number that is computed for each answered row. */
export interface ValuePlan {
  readonly name: string;
  readonly of: Extract<RankPlan, { readonly kind: 'vector' | 'text' | 'sparse' }>;
}

export interface HighlightPlan {
  readonly name: string;
  readonly attribute: string;
  readonly settings: FullTextSearch;
  readonly fragmentBy: FragmentUnit;
  readonly fragmentLimit: number;
  readonly offsetUnit: OffsetUnit | undefined;
  /** The BM25 clauses that name the words; at least one. */
  readonly clauses: readonly Bm25Plan[];
}

export type Bm25Plan = Extract<ScorePlan, { readonly kind: 'bm25' }>;

export type RankPlan =
  | {
      readonly kind: 'vector';
      readonly attribute: string;
      readonly metric: DistanceMetric;
      readonly element: VectorElement;
      /** As kernels take it: Int8Array for i8. */
      readonly query: Float32Array | Int8Array;
      /** Share of the true answer that lists are to find; undefined: exact. */
      readonly recall: number | undefined;
    }
  | { readonly kind: 'text'; readonly score: ScorePlan }
  | { readonly kind: 'sparse'; readonly attribute: string; readonly query: readonly SparseEntry[] }
  | { readonly kind: 'order'; readonly keys: readonly OrderKeyPlan[] }
  | {
      readonly kind: 'aggregate';
      readonly aggregates: readonly AggregatePlan[];
      readonly groupBy: readonly GroupKeyPlan[];
    }
  /** No ranking: values of rows that another job has found. */
  | { readonly kind: 'values'; readonly values: readonly ValuePlan[]; readonly rows: FoundRows };

/** Row `rows[i]` of block `blocks[i]`. */
export interface FoundRows {
  readonly blocks: Uint32Array;
  readonly rows: Uint32Array;
}

/** `attribute` and `type` undefined: counts rows. */
export interface AggregatePlan {
  readonly kind: 'count' | 'sum';
  readonly label: string;
  readonly attribute: string | undefined;
  readonly type: AttributeType | undefined;
}

/** Of an array each distinct element of a row. */
export interface GroupKeyPlan {
  readonly label: string;
  readonly attribute: string;
  readonly type: Extract<AttributeType, { readonly scalar: ScalarType }>;
}

/** A score expression whose names and operands fit the schema. */
export type ScorePlan =
  | {
      readonly kind: 'bm25';
      readonly attribute: string;
      readonly settings: FullTextSearch;
      readonly query: string | readonly string[];
      readonly lastAsPrefix: boolean;
    }
  | { readonly kind: 'sum' | 'max'; readonly parts: readonly ScorePlan[] }
  | { readonly kind: 'product'; readonly factor: number; readonly part: ScorePlan }
  | { readonly kind: 'filter'; readonly filter: FilterPlan }
  | {
      readonly kind: 'attribute';
      readonly attribute: string;
      readonly scalar: 'int' | 'uint' | 'float' | 'bool' | 'datetime';
    }
  | {
      readonly kind: 'saturate' | 'decay';
      readonly part: ScorePlan;
      readonly midpoint: number;
      readonly exponent: number;
    }
  | { readonly kind: 'dist'; readonly part: ScorePlan; readonly origin: number };

/** `scalar` undefined: the id. */
export interface OrderKeyPlan {
  readonly attribute: string;
  readonly scalar: ScalarType | undefined;
  readonly descending: boolean;
}

/**
 * int, uint and datetime: bigint; float: number; bool: 0 or 1; string, uuid and bytes: their bytes. Of an id: u64 bigint,
 * uuid and string their bytes.
 */
export type Operand = bigint | number | Uint8Array;

export type RangeOperator = 'lt' | 'lte' | 'gt' | 'gte';

/** A test of one text, checked: it compiles. */
export type TextTest =
  /** The whole text. */
  | { readonly kind: 'glob'; readonly pattern: string; readonly ignoresCase: boolean }
  /** Anywhere in the text. */
  | { readonly kind: 'regex'; readonly pattern: string }
  /** Some part of the text is at most `distance` edits away from the query. */
  | { readonly kind: 'fuzzy'; readonly query: string; readonly distance: number; readonly ignoresCase: boolean };

/** Negations are `not` around what they negate, so they are exact complements over the rows. */
export type FilterPlan =
  | { readonly kind: 'all' | 'none' }
  | { readonly kind: 'and' | 'or'; readonly filters: readonly FilterPlan[] }
  | { readonly kind: 'not'; readonly filter: FilterPlan }
  | { readonly kind: 'missing'; readonly attribute: string; readonly type: AttributeType }
  /** A scalar equals, or an array contains, any of the operands. */
  | {
      readonly kind: 'any';
      readonly attribute: string;
      readonly type: AttributeType;
      readonly operands: readonly Operand[];
    }
  /** The whole array equals the operands, in order. */
  | {
      readonly kind: 'equalArray';
      readonly attribute: string;
      readonly type: AttributeType;
      readonly operands: readonly Operand[];
    }
  /** `lt` and `lte` match missing values. */
  | {
      readonly kind: 'range';
      readonly attribute: string;
      readonly type: AttributeType;
      readonly operator: RangeOperator;
      readonly operand: Operand;
    }
  /** Any element of the array is below (above, …) the operand; a missing array has none. */
  | {
      readonly kind: 'elementRange';
      readonly attribute: string;
      readonly type: AttributeType;
      readonly operator: RangeOperator;
      readonly operand: Operand;
    }
  /** The text, or any element of an array of texts, passes the test; a missing one does not. `attribute` may be `id`. */
  | {
      readonly kind: 'text';
      readonly attribute: string;
      readonly type: AttributeType;
      readonly test: TextTest;
    }
  /** The text, the elements of an array together, has the terms; a missing one has none. */
  | {
      readonly kind: 'tokens';
      readonly attribute: string;
      readonly type: AttributeType;
      readonly settings: FullTextSearch;
      readonly operator: TokenOperator;
      readonly texts: readonly string[];
      readonly lastAsPrefix: boolean;
    }
  | { readonly kind: 'idAny'; readonly idKind: IdKind; readonly operands: readonly Operand[] }
  | {
      readonly kind: 'idRange';
      readonly idKind: IdKind;
      readonly operator: RangeOperator;
      readonly operand: Operand;
    };
