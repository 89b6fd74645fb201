import { create } from '@bufbuild/protobuf';
import {
  type AttributeType,
  type AttributeValue,
  type ColumnInput,
  type DocumentId,
  encodeBlock,
  formatUuid,
  type IdKind,
  type ScalarType,
} from '@lagoon/format';
import type { WriteRequest } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import { type Attribute, type Id, type Value, ValueSchema } from '@lagoon/proto/lagoon/v1/value_pb.js';
import { clip, wrongValue } from '../json/shape.ts';
import { encodePatch, type PatchInit } from '../write/build-patch.ts';
import { checkBlockBytes } from '../write/collect-documents.ts';
import { checkAttributeName } from '../write/names.ts';
import { floatsOfVector } from '../write/packed-vector.ts';
import { packSparse, readSparseMessage } from '../write/sparse-values.ts';
import { packVectors } from '../write/vector-values.ts';

/** The rows of a gRPC write: documents and deletes as one columnar block, empty where there are none, and patches. */
export interface EncodedDocuments {
  readonly block: Uint8Array;
  readonly patch: PatchInit | undefined;
}

export function encodeDocuments(request: WriteRequest, blockBytesMax: number): EncodedDocuments {
  const { upserts, deletes, patches } = request;
  const ids = createIdReader();
  const upsertIds = upserts.map((document, row) => ids.read(document.id, `upserts[${row}].id`));
  const deleteIds = deletes.map((id, index) => ids.read(id, `deletes[${index}]`));
  const patchIds = patches.map((document, row) => ids.read(document.id, `patches[${row}].id`));
  const hasRows = upsertIds.length > 0 || deleteIds.length > 0;
  const columnsOf = (values: ValuesByName, field: string) => readColumns(values, field, blockBytesMax);
  return {
    block: hasRows
      ? encodeBlock({
          idKind: ids.kind(),
          ids: upsertIds,
          deletes: deleteIds,
          columns: columnsOf(valuesByName(upserts, 'upserts', blockBytesMax), 'upserts'),
        })
      : new Uint8Array(0),
    patch: encodePatches(
      ids.kind(),
      patchIds,
      valuesByName(patches, 'patches', blockBytesMax),
      'patches',
      blockBytesMax,
    ),
  };
}

/** One patch for all rows that a filter matches; its id says nothing. */
export function encodeFilterPatch(attributes: readonly Attribute[], blockBytesMax: number): PatchInit {
  const field = 'patch_by_filter';
  const patch = encodePatches('u64', [0n], valuesByName([{ attributes }], field, blockBytesMax), field, blockBytesMax);
  if (patch === undefined || attributes.length === 0) throw wrongValue(field, 'the patch has no attributes');
  return patch;
}

function encodePatches(
  idKind: IdKind,
  ids: readonly DocumentId[],
  values: ValuesByName,
  field: string,
  blockBytesMax: number,
): PatchInit | undefined {
  if (ids.length === 0) return undefined;
  const cleared: ColumnInput[] = [];
  for (const [name, column] of values) {
    const isCleared = column.map((value) => value !== undefined && value.kind.case === undefined);
    if (!isCleared.includes(true)) continue;
    cleared.push({ name, type: { kind: 'scalar', scalar: 'bool' }, values: isCleared });
  }
  return encodePatch(idKind, ids, readColumns(values, field, blockBytesMax), cleared);
}

/** By attribute, a value per document; undefined where the document does not name the attribute. */
type ValuesByName = ReadonlyMap<string, readonly (Value | undefined)[]>;

function valuesByName(
  documents: readonly { readonly attributes: readonly Attribute[] }[],
  field: string,
  blockBytesMax: number,
): ValuesByName {
  const byName = new Map<string, (Value | undefined)[]>();
  for (const [row, document] of documents.entries()) {
    for (const { name, value } of document.attributes) {
      let values = byName.get(name);
      if (values === undefined) {
        checkAttributeName(name, `${field}[${row}]`);
        checkBlockBytes((byName.size + 1) * documents.length * 8, blockBytesMax);
        values = new Array<Value | undefined>(documents.length).fill(undefined);
        byName.set(name, values);
      }
      if (values[row] !== undefined) throw wrongValue(`${field}[${row}].${clip(name)}`, 'the attribute is there twice');
      values[row] = value ?? create(ValueSchema);
    }
  }
  return byName;
}

function readColumns(values: ValuesByName, field: string, blockBytesMax: number): ColumnInput[] {
  const columns: ColumnInput[] = [];
  for (const [name, column] of values) {
    const read = readColumn(name, column, field, blockBytesMax);
    if (read !== undefined) columns.push(read);
  }
  return columns;
}

function createIdReader(): { read(id: Id | undefined, path: string): DocumentId; kind(): IdKind } {
  let found: IdKind | undefined;
  return {
    read: (id, path) => {
      const { kind, value } = readId(id, path);
      found ??= kind;
      if (found !== kind) throw wrongValue(path, 'ids of several kinds are mixed', { found: kind, before: found });
      return value;
    },
    kind: () => found ?? 'u64',
  };
}

function readId(id: Id | undefined, path: string): { readonly kind: IdKind; readonly value: DocumentId } {
  const kind = id?.kind;
  switch (kind?.case) {
    case 'u64':
      return { kind: 'u64', value: kind.value };
    case 'text':
      return { kind: 'string', value: kind.value };
    case 'uuid':
      return { kind: 'uuid', value: uuidText(kind.value, path) };
    default:
      throw wrongValue(path, 'there is no id');
  }
}

function uuidText(bytes: Uint8Array, path: string): string {
  if (bytes.length !== 16) throw wrongValue(path, 'a uuid has 16 bytes', { bytes: bytes.length });
  return formatUuid(bytes);
}

function readColumn(
  name: string,
  values: readonly (Value | undefined)[],
  field: string,
  blockBytesMax: number,
): ColumnInput | undefined {
  const pathOf = (row: number) => `${field}[${row}].${clip(name)}`;
  const first = values.find((value) => value?.kind.case !== undefined);
  if (first === undefined) return undefined;
  if (first.kind.case === 'vectorValue') {
    const raw = values.map((value, row) => readVectorBytes(value, pathOf(row)));
    const packed = packVectors(raw, undefined, pathOf, (bytes) => checkBlockBytes(bytes, blockBytesMax));
    if (packed === undefined) return undefined;
    const type: AttributeType = { kind: 'vector', element: 'f32', dims: packed.dims };
    return { name, type, values: packed.values, ...(packed.nulls === undefined ? {} : { nulls: packed.nulls }) };
  }
  if (first.kind.case === 'sparseValue') return readSparse(name, values, pathOf);
  return first.kind.case === 'arrayValue' ? readArrays(name, values, pathOf) : readScalars(name, values, pathOf);
}

function readSparse(
  name: string,
  values: readonly (Value | undefined)[],
  pathOf: (row: number) => string,
): ColumnInput {
  const rows = values.map((value, row) => {
    const kind = value?.kind;
    if (kind?.case === undefined) return null;
    if (kind.case !== 'sparseValue') throw wrongValue(pathOf(row), 'expected a sparse vector as in the rows before');
    return packSparse(readSparseMessage(kind.value, pathOf(row)));
  });
  return { name, type: { kind: 'array', scalar: 'entry' }, values: rows };
}

function readVectorBytes(value: Value | undefined, path: string): Uint8Array | undefined {
  const kind = value?.kind;
  if (kind?.case === undefined) return undefined;
  if (kind.case !== 'vectorValue') throw wrongValue(path, 'expected a vector as in the rows before');
  const { encoding } = kind.value;
  if (encoding.case === 'f32') return encoding.value;
  const floats = floatsOfVector(kind.value, path);
  if (floats === undefined) throw wrongValue(path, 'the vector has no values');
  return new Uint8Array(floats.buffer);
}

function readScalars(
  name: string,
  values: readonly (Value | undefined)[],
  pathOf: (row: number) => string,
): ColumnInput {
  const typing = createScalarTyping();
  const out = values.map((value, row) => (value?.kind.case === undefined ? null : typing.read(value, pathOf(row))));
  return { name, type: { kind: 'scalar', scalar: typing.scalar() }, values: typing.finish(out) };
}

function readArrays(
  name: string,
  values: readonly (Value | undefined)[],
  pathOf: (row: number) => string,
): ColumnInput {
  const typing = createScalarTyping();
  const rows = values.map((value, row) => {
    const kind = value?.kind;
    if (kind?.case === undefined) return null;
    if (kind.case !== 'arrayValue') throw wrongValue(pathOf(row), 'expected an array as in the rows before');
    return kind.value.values.map((element, index) => typing.read(element, `${pathOf(row)}[${index}]`));
  });
  const finished = rows.map((row) => (row === null ? null : typing.finish(row)));
  return { name, type: { kind: 'array', scalar: typing.scalar() }, values: finished as AttributeValue[] };
}

interface ScalarTyping {
  read(value: Value, path: string): AttributeValue;
  scalar(): ScalarType;
  /** Integers among floats become floats. */
  finish(values: AttributeValue[]): AttributeValue[];
}

function createScalarTyping(): ScalarTyping {
  let found: ScalarType | undefined;
  return {
    read: (value, path) => {
      const read = readScalar(value, path);
      if (found === undefined || found === read.scalar) found = read.scalar;
      else if (isNumber(found) && isNumber(read.scalar)) found = 'float';
      else throw wrongValue(path, 'values of several types are mixed', { found: read.scalar, before: found });
      return read.value;
    },
    scalar: () => found ?? 'string',
    finish: (values) =>
      found === 'float' ? values.map((value) => (typeof value === 'bigint' ? Number(value) : value)) : values,
  };
}

function isNumber(scalar: ScalarType): boolean {
  return scalar === 'int' || scalar === 'float';
}

function readScalar(value: Value, path: string): { readonly scalar: ScalarType; readonly value: AttributeValue } {
  const kind = value.kind;
  switch (kind.case) {
    case 'stringValue':
      return { scalar: 'string', value: kind.value };
    case 'intValue':
      return { scalar: 'int', value: kind.value };
    case 'uintValue':
      return { scalar: 'uint', value: kind.value };
    case 'floatValue':
      if (!Number.isFinite(kind.value)) throw wrongValue(path, 'the number is not finite');
      return { scalar: 'float', value: kind.value };
    case 'boolValue':
      return { scalar: 'bool', value: kind.value };
    case 'bytesValue':
      return { scalar: 'bytes', value: kind.value };
    case 'uuidValue':
      return { scalar: 'uuid', value: uuidText(kind.value, path) };
    case 'datetimeValue':
      return { scalar: 'datetime', value: kind.value };
    case 'arrayValue':
    case 'vectorValue':
    case 'sparseValue':
    case 'newValueOf':
      throw wrongValue(path, 'expected a scalar');
    case undefined:
      throw wrongValue(path, 'an element of an array is null');
  }
}
