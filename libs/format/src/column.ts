import type { AttributeType, IdKind, ScalarType, VectorElement } from './schema.ts';
import type { VectorValues } from './vector-element.ts';

/**
 * Columns of a block, read in place: every typed array is a view of the block's bytes, none is a copy.
 * Shapes: n = rows of the block.
 */

/** Ids in ascending order: u64 numeric, uuid and string by their bytes. Row r of the block has id r of this column. */
export type IdColumn =
  | { readonly idKind: 'u64'; readonly count: number; readonly values: BigUint64Array }
  | { readonly idKind: 'uuid'; readonly count: number; readonly bytes: Uint8Array /* 16 × count */ }
  | {
      readonly idKind: 'string';
      readonly count: number;
      readonly offsets: Uint32Array /* count + 1 */;
      readonly bytes: Uint8Array;
    };

/** One bit per row, least significant bit first, 1 = missing; absent where no row misses its value. */
export type NullBitmap = Uint8Array | undefined;

export type ScalarColumn =
  | {
      readonly kind: 'scalar';
      readonly scalar: 'int' | 'datetime';
      readonly nulls: NullBitmap;
      readonly values: BigInt64Array;
    }
  | {
      readonly kind: 'scalar';
      readonly scalar: 'uint' | 'entry';
      readonly nulls: NullBitmap;
      readonly values: BigUint64Array;
    }
  | { readonly kind: 'scalar'; readonly scalar: 'float'; readonly nulls: NullBitmap; readonly values: Float64Array }
  | { readonly kind: 'scalar'; readonly scalar: 'bool'; readonly nulls: NullBitmap; readonly values: Uint8Array }
  | {
      readonly kind: 'scalar';
      readonly scalar: 'uuid';
      readonly nulls: NullBitmap;
      readonly bytes: Uint8Array /* 16 × n */;
    }
  | {
      readonly kind: 'scalar';
      readonly scalar: 'string' | 'bytes';
      readonly nulls: NullBitmap;
      readonly offsets: Uint32Array /* n + 1 */;
      readonly bytes: Uint8Array;
    };

/** Row r holds the elements [rowOffsets[r], rowOffsets[r + 1]); elements are never null. */
export interface ArrayColumn {
  readonly kind: 'array';
  readonly scalar: ScalarType;
  readonly nulls: NullBitmap;
  readonly rowOffsets: Uint32Array; // n + 1
  readonly elements: ScalarColumn;
}

/**
 * n × dims values, row-major; a missing row is zeros. 16-byte aligned relative to the block.
 * `inverseNorms[r]` = 1 / ‖row r‖ of the values as stored, computed in f64, rounded to f32; 0 for a zero or missing vector.
 */
export interface VectorColumn {
  readonly kind: 'vector';
  readonly element: VectorElement;
  readonly dims: number;
  readonly nulls: NullBitmap;
  /** The typed array of the element. */
  readonly values: VectorValues;
  readonly inverseNorms: Float32Array;
}

export type Column = ScalarColumn | ArrayColumn | VectorColumn;

/** A columnar block v1, opened (docs/formats/columns.v1.md). */
export interface Block {
  readonly rowCount: number;
  readonly idKind: IdKind;
  /** Rows that are upserted, sorted by id. */
  readonly ids: IdColumn;
  /** Ids that are deleted, sorted, disjoint from `ids`. */
  readonly deletes: IdColumn;
  readonly columns: ReadonlyMap<string, NamedColumn>;
  /** Bytes of user data as billed: ids + values. */
  readonly logicalBytes: number;
  readonly bytes: Uint8Array;
}

export interface NamedColumn {
  readonly name: string;
  readonly type: AttributeType;
  readonly column: Column;
}
