import type { AttributeType, AttributeValue, DocumentId, IdKind } from '@lagoon/format';

export interface QueryResult {
  readonly idKind: IdKind;
  readonly rows: readonly ResultRow[];
  readonly generation: number;
  readonly statistics: QueryStatistics;
}

export interface ResultRow {
  readonly id: DocumentId;
  /** Distance or score; absent for order-by. */
  readonly dist?: number;
  readonly attributes: readonly ResultAttribute[];
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
  readonly rowCount: number;
  readonly storeRequestCount: number;
  readonly storeBytes: number;
  readonly cacheHitCount: number;
  readonly cacheMissCount: number;
  readonly executionMs: number;
}
