import type { MessageInitShape } from '@bufbuild/protobuf';
import { assert } from '@lagoon/base';
import {
  type AttributeType,
  type AttributeValue,
  type DocumentId,
  formatAttributeType,
  type IdKind,
  parseUuid,
  type ScalarType,
  type Schema,
  unpackSparseEntry,
  type VectorElement,
} from '@lagoon/format';
import type {
  AggregateGroupSchema,
  PlanStepSchema,
  QueryResponseSchema,
  QueryStatisticsSchema,
  ResultRowSchema,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { IdSchema, SchemaSchema, ValueSchema } from '@lagoon/proto/lagoon/v1/value_pb.js';
import type { PlanStep, QueryResult, QuerySpec, QueryStatistics, ResultRow } from '@lagoon/query';

/** The engine's answer as messages. */
export function queryResponse(result: QueryResult, spec: QuerySpec): MessageInitShape<typeof QueryResponseSchema> {
  return {
    ...(spec.rankBy.kind === 'aggregate' ? { groups: groupMessages(result, spec.rankBy) } : {}),
    rows: result.rows.map((row) => resultRow(result.idKind, row)),
    manifestGeneration: BigInt(result.generation),
    steps: (result.steps ?? []).map(stepMessage),
    statistics: statisticsMessage(result.statistics),
  };
}

type Aggregation = Extract<QuerySpec['rankBy'], { readonly kind: 'aggregate' }>;

function groupMessages(
  { groups = [], groupTypes = [] }: QueryResult,
  { aggregates, groupBy }: Aggregation,
): MessageInitShape<typeof AggregateGroupSchema>[] {
  return groups.map(({ keys, values }) => ({
    keys: groupBy.map(({ label }, i) => ({
      name: label,
      value: keys[i] == null ? {} : scalarMessage(groupTypes[i] as ScalarType, keys[i]),
    })),
    values: aggregates.map(({ label }, i) => ({ name: label, value: numberMessage(values[i] ?? 0) })),
  }));
}

function stepMessage({ step, target, facts }: PlanStep): MessageInitShape<typeof PlanStepSchema> {
  const values = Object.entries(facts).map(([name, value]) =>
    typeof value === 'number'
      ? { name, value: { case: 'number' as const, value } }
      : { name, value: { case: 'text' as const, value } },
  );
  return { step, target, facts: values };
}

function numberMessage(value: bigint | number): MessageInitShape<typeof ValueSchema> {
  if (typeof value === 'number') return scalarMessage('float', value);
  return scalarMessage(value === BigInt.asIntN(64, value) ? 'int' : 'uint', value);
}

export function schemaMessage(schema: Schema): MessageInitShape<typeof SchemaSchema> {
  return {
    idType: schema.idKind,
    attributes: [...schema.attributes].map(
      ([name, { type, filterable, glob, regex, fuzzy, sparseKnn, fullTextSearch, ann }]) => ({
        name,
        type: formatAttributeType(type),
        filterable,
        glob: glob ?? false,
        regex: regex ?? false,
        fuzzy: fuzzy ?? false,
        ...(sparseKnn ? { sparseKnn } : {}),
        ...(fullTextSearch === undefined ? {} : { fullTextSearch: { ...fullTextSearch } }),
        ...(ann === undefined ? {} : { ann: { ...ann } }),
      }),
    ),
  };
}

export function resultRow(idKind: IdKind, row: ResultRow): MessageInitShape<typeof ResultRowSchema> {
  return {
    id: idMessage(idKind, row.id),
    ...(row.dist === undefined ? {} : { dist: row.dist }),
    attributes: [
      ...row.attributes.map(({ name, type, value }) => ({ name, value: valueMessage(type, value) })),
      ...(row.values ?? []).map(({ name, value }) => ({ name, value: value === null ? {} : numberMessage(value) })),
    ],
    highlights: (row.highlights ?? []).map(({ name, fragments }) => ({
      name,
      fragments: fragments.map(({ text, range, matches = [] }) => ({
        text,
        ...(range === undefined ? {} : { range: { start: range[0], end: range[1] } }),
        matches: matches.map(([start, end]) => ({ start, end })),
      })),
    })),
  };
}

function idMessage(idKind: IdKind, id: DocumentId): MessageInitShape<typeof IdSchema> {
  if (idKind === 'u64') return { kind: { case: 'u64', value: id as bigint } };
  if (idKind === 'string') return { kind: { case: 'text', value: id as string } };
  return { kind: { case: 'uuid', value: uuidBytes(id as string) } };
}

function valueMessage(type: AttributeType, value: AttributeValue): MessageInitShape<typeof ValueSchema> {
  if (value === null) return {};
  switch (type.kind) {
    case 'scalar':
      return scalarMessage(type.scalar, value);
    case 'array': {
      if (type.scalar === 'entry') return sparseMessage(value as readonly bigint[]);
      const values = (value as readonly AttributeValue[]).map((element) => scalarMessage(type.scalar, element));
      return { kind: { case: 'arrayValue', value: { values } } };
    }
    case 'vector':
      return {
        kind: { case: 'vectorValue', value: { encoding: vectorEncoding(type.element, value as Float32Array) } },
      };
  }
}

/** As the attribute stores them: the way back from f32 is exact. */
function vectorEncoding(element: VectorElement, values: Float32Array) {
  switch (element) {
    case 'f32':
      return { case: element, value: bytesOf(values) };
    case 'f16':
      return { case: element, value: bytesOf(new Float16Array(values)) };
    case 'i8':
      return { case: element, value: bytesOf(new Int8Array(values)) };
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** The value is of the type, by `libs/format`. */
function scalarMessage(scalar: ScalarType, value: AttributeValue): MessageInitShape<typeof ValueSchema> {
  switch (scalar) {
    case 'string':
      return { kind: { case: 'stringValue', value: value as string } };
    case 'int':
      return { kind: { case: 'intValue', value: value as bigint } };
    case 'uint':
    case 'entry':
      return { kind: { case: 'uintValue', value: value as bigint } };
    case 'float':
      return { kind: { case: 'floatValue', value: value as number } };
    case 'uuid':
      return { kind: { case: 'uuidValue', value: uuidBytes(value as string) } };
    case 'datetime':
      return { kind: { case: 'datetimeValue', value: value as bigint } };
    case 'bool':
      return { kind: { case: 'boolValue', value: value as boolean } };
    case 'bytes':
      return { kind: { case: 'bytesValue', value: value as Uint8Array } };
  }
}

function sparseMessage(entries: readonly bigint[]): MessageInitShape<typeof ValueSchema> {
  const unpacked = entries.map(unpackSparseEntry);
  const dimensions = unpacked.map(({ dimension }) => dimension);
  return { kind: { case: 'sparseValue', value: { dimensions, weights: unpacked.map(({ weight }) => weight) } } };
}

function uuidBytes(text: string): Uint8Array {
  const bytes = parseUuid(text);
  assert(bytes !== undefined, 'a uuid of a block is one');
  return bytes;
}

function statisticsMessage(statistics: QueryStatistics): MessageInitShape<typeof QueryStatisticsSchema> {
  return {
    exact: statistics.exact,
    scoredRowCount: BigInt(statistics.scoredRowCount),
    exhaustiveRowCount: BigInt(statistics.exhaustiveRowCount),
    rowCount: BigInt(statistics.rowCount),
    storeRequestCount: BigInt(statistics.storeRequestCount),
    storeBytes: BigInt(statistics.storeBytes),
    cacheHitCount: BigInt(statistics.cacheHitCount),
    cacheMissCount: BigInt(statistics.cacheMissCount),
    executionMs: statistics.executionMs,
    prunedSegmentCount: BigInt(statistics.prunedSegmentCount),
  };
}
