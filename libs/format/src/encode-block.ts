import { invalidArgument } from '@lagoon/base';
import { checkAttributeName } from './attribute-name.ts';
import { checkVectorType, formatAttributeType } from './attribute-type.ts';
import { bitmapBytes, countBits, isBitmapOf } from './bitmap.ts';
import type { BlockInput, ColumnInput } from './block-input.ts';
import { buildArrayColumn, buildScalarColumn, type RejectValue } from './build-column.ts';
import { buildIds, duplicateId, sortedOrder } from './build-ids.ts';
import { buildVectorColumn } from './build-vectors.ts';
import type { Column, IdColumn, NamedColumn, NullBitmap } from './column.ts';
import type { DocumentId } from './document-id.ts';
import { checkDocumentSizes } from './document-size.ts';
import { gatherColumn, gatherIds, planOfOrder } from './gather.ts';
import { forEachCommonId, idAt } from './id-column.ts';
import { limits } from './schema.ts';
import { writeBlock } from './write-block.v1.ts';

/**
 * Encodes rows and deletes as a columnar block v1 (docs/formats/columns.v1.md), rows sorted by id. Ids that are sorted
 * already cost nothing extra. Throws `invalid_argument`, naming attribute and id, for whatever does not fit.
 */
export function encodeBlock(input: BlockInput): Uint8Array {
  checkColumns(input.columns);
  const unsorted = buildIds(input.idKind, input.ids);
  const order = sortedOrder(unsorted);
  const ids = sortIds(unsorted, order);
  const unsortedDeletes = buildIds(input.idKind, input.deletes);
  const deletes = sortIds(unsortedDeletes, sortedOrder(unsortedDeletes));
  forEachCommonId(ids, deletes, (row) => {
    throw duplicateId(idAt(ids, row));
  });
  const columns = input.columns.map((column) => buildNamedColumn(column, input.ids, order));
  checkDocumentSizes(ids, columns);
  return writeBlock({ ids, deletes, columns });
}

function sortIds(ids: IdColumn, order: Uint32Array | undefined): IdColumn {
  return order === undefined ? ids : gatherIds(ids.idKind, [ids], planOfOrder(order));
}

function buildNamedColumn(input: ColumnInput, ids: readonly DocumentId[], order: Uint32Array | undefined): NamedColumn {
  const column = buildColumn(input, ids);
  const sorted = order === undefined ? column : gatherColumn(input.type, [column], planOfOrder(order));
  return { name: input.name, type: input.type, column: sorted };
}

function buildColumn({ name, type, values, nulls }: ColumnInput, ids: readonly DocumentId[]): Column {
  const reject: RejectValue = (row, problem, facts) => {
    throw invalidArgument(problem, { attribute: name, id: ids[row], type: formatAttributeType(type), ...facts });
  };
  if (type.kind === 'vector') {
    if (!(values instanceof Float32Array) || values.length !== ids.length * type.dims) {
      throw invalidArgument('vectors do not fit rows × dimensions', {
        attribute: name,
        rows: ids.length,
        dims: type.dims,
        values: values.length,
      });
    }
    return buildVectorColumn(type, values, presentNulls(nulls, ids.length, name), reject);
  }
  if (values instanceof Float32Array) throw invalidArgument('attribute is not a vector', { attribute: name });
  if (values.length !== ids.length) {
    throw invalidArgument('column and ids differ in length', {
      attribute: name,
      ids: ids.length,
      values: values.length,
    });
  }
  return type.kind === 'scalar'
    ? buildScalarColumn(type.scalar, values, reject)
    : buildArrayColumn(type.scalar, values, reject);
}

function presentNulls(nulls: NullBitmap, rowCount: number, attribute: string): NullBitmap {
  if (nulls === undefined) return undefined;
  const exact = nulls.subarray(0, bitmapBytes(rowCount));
  if (!isBitmapOf(exact, rowCount)) throw invalidArgument('null bitmap does not fit the rows', { attribute });
  return countBits(exact) === 0 ? undefined : exact;
}

function checkColumns(columns: readonly ColumnInput[]): void {
  if (columns.length > limits.attributeCountMax) {
    throw invalidArgument('too many attributes', { attributes: columns.length, max: limits.attributeCountMax });
  }
  const names = new Set<string>();
  let vectorCount = 0;
  for (const { name, type } of columns) {
    checkAttributeName(name);
    if (names.has(name)) throw invalidArgument('attribute appears twice', { attribute: name });
    names.add(name);
    if (type.kind === 'vector') {
      checkVectorType(type, name);
      vectorCount++;
    }
  }
  if (vectorCount > limits.vectorColumnCountMax) {
    throw invalidArgument('too many vector attributes', { vectors: vectorCount, max: limits.vectorColumnCountMax });
  }
}
