import type { NullBitmap } from './column.ts';
import type { DocumentId } from './document-id.ts';
import type { AttributeType, IdKind } from './schema.ts';
import type { AttributeValue } from './value.ts';

/**
 * A column of rows in the order of `BlockInput.ids`.
 * - scalar and array types: `values` is a list with one value per row, null where it is missing. int, uint and datetime
 *   take a bigint or a safe integer.
 * - vector types: `values` is rows × dims floats, row-major, and `nulls` marks rows without a vector (their floats count
 *   as 0).
 */
export interface ColumnInput {
  readonly name: string;
  readonly type: AttributeType;
  readonly values: readonly AttributeValue[] | Float32Array;
  readonly nulls?: NullBitmap;
}

/** Rows in any order; ids of one kind, none twice, also not among `deletes`. */
export interface BlockInput {
  readonly idKind: IdKind;
  readonly ids: readonly DocumentId[];
  readonly deletes: readonly DocumentId[];
  readonly columns: readonly ColumnInput[];
}
