import { type AttributeType, type ColumnInput, encodeBlock, isSparseType, limits } from '@lagoon/format';
import { isObject, wrongValue } from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';
import { checkBlockBytes, type RawColumns } from './collect-documents.ts';
import type { IdList } from './ids.ts';
import { inferColumn } from './infer-column.ts';
import { packSparse, readSparse } from './sparse-values.ts';
import { packVectors } from './vector-values.ts';

/** The name that makes an attribute a vector without a declaration. */
const vectorName = 'vector';

/** Types every attribute and encodes the documents and deletes as one columnar block; empty bytes when there are none. */
export function buildBlock(
  ids: IdList,
  documents: RawColumns,
  declared: ReadonlyMap<string, AttributeType>,
  blockBytesMax: number,
): Uint8Array {
  if (ids.upserts.length === 0 && ids.deletes.length === 0) return new Uint8Array(0);
  const columns = buildColumns(documents, declared, blockBytesMax);
  return encodeBlock({ idKind: ids.idKind, ids: ids.upserts, deletes: ids.deletes, columns });
}

/** Types every attribute; those without any value are left out. */
export function buildColumns(
  documents: RawColumns,
  declared: ReadonlyMap<string, AttributeType>,
  blockBytesMax: number,
): ColumnInput[] {
  let bytes = 0;
  const reserve = (more: number) => {
    bytes += more;
    checkBlockBytes(bytes, blockBytesMax);
  };
  const columns: ColumnInput[] = [];
  let vectorColumnCount = 0;
  for (const [name, raw] of documents.attributes) {
    const pathOf = (row: number) => documents.pathOf(name, row);
    const type = declared.get(name);
    if (name === vectorName || type?.kind === 'vector') {
      const column = vectorColumn(name, raw, type, pathOf, reserve);
      if (column === undefined) continue;
      columns.push(column);
      if (++vectorColumnCount > limits.vectorColumnCountMax) {
        throw wrongValue(pathOf(0), 'too many vector attributes', { max: limits.vectorColumnCountMax });
      }
      continue;
    }
    const column = isSparse(raw, type)
      ? sparseColumn(name, raw, pathOf)
      : inferredColumn(name, raw, type, pathOf, reserve);
    if (column !== undefined) columns.push(column);
  }
  return columns;
}

/** Only sparse vectors are objects. */
function isSparse(raw: readonly unknown[], declared: AttributeType | undefined): boolean {
  if (declared !== undefined) return isSparseType(declared);
  return isObject(raw.find((value) => value !== null && value !== undefined));
}

function sparseColumn(name: string, raw: readonly unknown[], pathOf: (row: number) => string): ColumnInput | undefined {
  const values = raw.map((value, row) => (isGiven(value) ? packSparse(readSparse(value, pathOf(row))) : null));
  if (values.every((value) => value === null)) return undefined;
  return { name, type: { kind: 'array', scalar: 'entry' }, values };
}

function inferredColumn(
  name: string,
  raw: readonly unknown[],
  declared: AttributeType | undefined,
  pathOf: (row: number) => string,
  reserve: (bytes: number) => void,
): ColumnInput | undefined {
  try {
    const inferred = inferColumn(raw, declared, pathOf);
    return inferred === undefined ? undefined : { name, ...inferred };
  } catch (mismatch) {
    if (!mixesVectorForms(raw)) throw mismatch;
    try {
      return vectorColumn(name, raw, undefined, pathOf, reserve);
    } catch {
      throw mismatch;
    }
  }
}

/**
 * Vectors of an attribute that an earlier request declared may come as arrays and as base64 in one request. No other
 * column mixes strings with arrays of numbers.
 */
function mixesVectorForms(raw: readonly unknown[]): boolean {
  const isNumbers = (value: unknown) => Array.isArray(value) && typeof value[0] === 'number';
  return raw.some((value) => typeof value === 'string') && raw.some(isNumbers);
}

function vectorColumn(
  name: string,
  raw: readonly unknown[],
  declared: AttributeType | undefined,
  pathOf: (row: number) => string,
  reserve: (bytes: number) => void,
): ColumnInput | undefined {
  const dims = declared?.kind === 'vector' ? declared.dims : undefined;
  const packed = packVectors(raw, dims, pathOf, reserve);
  if (packed === undefined) return undefined;
  const { values, nulls } = packed;
  const type: AttributeType = { kind: 'vector', element: 'f32', dims: packed.dims };
  return { name, type, values, ...(nulls === undefined ? {} : { nulls }) };
}
