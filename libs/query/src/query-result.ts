import type { AttributeType, AttributeValue, DocumentId, IdKind, ScalarType } from '@lagoon/format';
import type { TextRange } from '@lagoon/text';

export interface QueryResult {
  readonly idKind: IdKind;
  readonly rows: readonly ResultRow[];
  readonly generation: number;
  /** Only of an aggregation, in the order of their keys. */
  readonly groups?: readonly AggregateGroup[];
  /** Types of the groups' keys. */
  readonly groupTypes?: readonly ScalarType[];
  /** What was done, where the query asks for it. */
  readonly steps?: readonly PlanStep[];
  readonly statistics: QueryStatistics;
}

/** One step of a traced query, for people. */
export interface PlanStep {
  /** One word: "probe", "scan". */
  readonly step: string;
  /** The object or part of the log that it was about; empty: all of them. */
  readonly target: string;
  readonly facts: Readonly<Record<string, string | number>>;
}

/** Keys and values as the query names them, in its order; counts and sums of integers are bigint. */
export interface AggregateGroup {
  readonly keys: readonly AttributeValue[];
  readonly values: readonly (bigint | number)[];
}

export interface ResultRow {
  readonly id: DocumentId;
  /** Distance or score; absent for order-by. */
  readonly dist?: number;
  readonly attributes: readonly ResultAttribute[];
  readonly highlights?: readonly Highlighted[];
  readonly values?: readonly ComputedValue[];
}

export interface ComputedValue {
  readonly name: string;
  /** Null: the row has none. */
  readonly value: number | null;
}

/** Best first. */
export interface Highlighted {
  readonly name: string;
  readonly fragments: readonly HighlightedFragment[];
}

export interface HighlightedFragment {
  readonly text: string;
  /** Half-open, in the attribute's text; where offsets were asked for. */
  readonly range?: TextRange;
  readonly matches?: readonly TextRange[];
}

export interface ResultAttribute {
  readonly name: string;
  readonly type: AttributeType;
  readonly value: AttributeValue;
}

export interface QueryStatistics {
  readonly exact: boolean;
  readonly scoredRowCount: number;
  readonly exhaustiveRowCount: number;
  /** Of the namespace; with those that died since a segment was made, where the query did not need to know them. */
  readonly rowCount: number;
  /** Segments that were passed over for the ranges of their attributes. */
  readonly prunedSegmentCount: number;
  readonly storeRequestCount: number;
  readonly storeBytes: number;
  readonly cacheHitCount: number;
  readonly cacheMissCount: number;
  readonly executionMs: number;
}
