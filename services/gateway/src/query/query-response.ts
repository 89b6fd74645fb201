import { LagoonError } from '@lagoon/base';
import { formatDatetime, formatUuid } from '@lagoon/format';
import type {
  AggregateGroup,
  Fragment,
  MultiQueryResponse,
  QueryResponse,
  QueryStatistics,
  RerankOutcome,
  ResultRow,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { Id, Value, VectorValue } from '@lagoon/proto/lagoon/v1/value_pb.js';
import { shortestF16 } from '../json/f16-decimal.ts';
import { shortestF32 } from '../json/f32-decimal.ts';
import { jsonInteger } from '../json/json-integer.ts';
import type { JsonObject } from '../json/shape.ts';
import { floatsOfVector } from '../write/packed-vector.ts';
import { sparseToJson } from '../write/sparse-values.ts';
import { sumStatistics } from './fuse.ts';
import type { ParsedMultiQuery } from './parse-multi-query.ts';
import type { ParsedQuery } from './parse-query.ts';
import { planStepsToJson } from './plan-text.ts';

/** A query's answer in the dialect's form, ready for `JSON.stringify`. */
export function queryResponseToJson(response: QueryResponse, query: ParsedQuery, totalMs: number): JsonObject {
  const { result, logicalBytes } = resultToJson(response, query);
  return { ...result, ...aroundResults(response.manifestGeneration, response.statistics, logicalBytes, totalMs) };
}

/** Of several queries: a result each, or the fused list alone. */
export function multiQueryResponseToJson(
  response: MultiQueryResponse,
  { queries, request, offset }: ParsedMultiQuery,
  totalMs: number,
): JsonObject {
  const isFused = request.fusion !== undefined;
  const results = response.results.map((result, i) => {
    const query = queries[i] as ParsedQuery;
    if (!isFused) return resultToJson(result, query);
    return resultToJson(result, { ...query, offset, isF32Distance: false }, f32Names(queries));
  });
  const logicalBytes = results.reduce((sum, one) => sum + one.logicalBytes, 0);
  const statistics = sumStatistics(response.results);
  const { performance, ...around } = aroundResults(response.manifestGeneration, statistics, logicalBytes, totalMs);
  return {
    results: results.map(({ result }) => result),
    ...around,
    performance: { ...performance, ...rerankToJson(response.rerank) },
  };
}

function resultToJson(
  response: QueryResponse,
  query: ParsedQuery & { readonly isF32Distance?: boolean },
  f32 = f32Names([query]),
): { readonly result: JsonObject; readonly logicalBytes: number } {
  const writer = createValueWriter(query.vectorEncoding);
  const isF32Distance = query.isF32Distance ?? query.request.rankBy?.kind?.case === 'vector';
  const { aggregation } = query.request;
  const result =
    aggregation === undefined
      ? { rows: response.rows.slice(query.offset).map((row) => rowToJson(row, writer, isF32Distance, f32)) }
      : groupsToJson(response.groups, (aggregation.groupBy ?? []).length > 0, writer);
  return {
    result: { ...result, ...(query.profile ? { profile: profileToJson(response) } : {}) },
    logicalBytes: writer.logicalBytes(),
  };
}

function groupsToJson(groups: readonly AggregateGroup[], isGrouped: boolean, writer: ValueWriter): JsonObject {
  const objects = groups.map(({ keys, values }) => {
    const out: Record<string, unknown> = Object.create(null);
    for (const { name, value } of [...keys, ...values]) out[name] = writer.value(value);
    return out;
  });
  return isGrouped ? { aggregation_groups: objects } : { aggregations: objects[0] ?? {} };
}

function rerankToJson(outcome: RerankOutcome | undefined): JsonObject {
  if (outcome === undefined) return {};
  const { model, applied, reason, documentCount, durationMs } = outcome;
  const told = { model, applied, document_count: documentCount, duration_ms: roundMs(durationMs) };
  return { rerank: applied ? told : { ...told, reason } };
}

function aroundResults(
  manifestGeneration: bigint,
  statistics: QueryStatistics | undefined,
  logicalBytes: number,
  totalMs: number,
) {
  return {
    billing: { billable_logical_bytes_queried: 0, billable_logical_bytes_returned: logicalBytes },
    performance: performanceToJson(statistics, totalMs),
    manifest_generation: jsonInteger(manifestGeneration),
  };
}

const noNames: ReadonlySet<string> = new Set();

/** Names of computed distances. */
function f32Names(queries: readonly ParsedQuery[]): ReadonlySet<string> {
  const names = queries.flatMap(({ request: { compute = [] } }) =>
    compute.flatMap(({ name, kind }) => (kind?.case === 'distance' && name !== undefined ? [name] : [])),
  );
  return names.length === 0 ? noNames : new Set(names);
}

function distanceToJson(distance: number): number {
  return Math.fround(distance) === distance ? shortestF32(distance) : distance;
}

/** With its distance or score, where it has one; `f32`: attributes that are distances too. */
export function rowToJson(
  row: ResultRow,
  writer: ValueWriter,
  isF32Distance: boolean,
  f32: ReadonlySet<string> = noNames,
): JsonObject {
  // Without a prototype an attribute may have any name.
  const out: Record<string, unknown> = Object.create(null);
  out.id = writer.id(row.id);
  if (row.dist !== undefined) out.$dist = isF32Distance ? distanceToJson(row.dist) : row.dist;
  for (const { name, value } of row.attributes) {
    const told = writer.value(value);
    out[name] = f32.has(name) && typeof told === 'number' ? distanceToJson(told) : told;
  }
  for (const { name, fragments } of row.highlights) out[name] = fragments.map(fragmentToJson);
  return out;
}

function fragmentToJson({ text, range, matches }: Fragment): JsonObject {
  if (range === undefined) return { text };
  return {
    text,
    fragment_range: [range.start, range.end],
    match_ranges: matches.map(({ start, end }) => [start, end]),
  };
}

/** Turns values into JSON and counts their logical bytes on the way. */
export interface ValueWriter {
  id(id: Id | undefined): unknown;
  value(value: Value | undefined): unknown;
  logicalBytes(): number;
}

export function createValueWriter(vectorEncoding: 'float' | 'base64'): ValueWriter {
  let bytes = 0;
  const counted = <T>(size: number, value: T): T => {
    bytes += size;
    return value;
  };
  const writeText = (text: string) => counted(Buffer.byteLength(text), text);
  const writeValue = (value: Value | undefined): unknown => {
    const kind = value?.kind;
    switch (kind?.case) {
      case undefined:
      case 'newValueOf': // of conditions, never of an answer
        return null;
      case 'stringValue':
        return writeText(kind.value);
      case 'intValue':
      case 'uintValue':
        return counted(8, jsonInteger(kind.value));
      case 'floatValue':
        return counted(8, kind.value);
      case 'boolValue':
        return counted(1, kind.value);
      case 'bytesValue':
        return counted(kind.value.length, toBase64(kind.value));
      case 'uuidValue':
        return counted(16, formatUuid(kind.value));
      case 'datetimeValue':
        return counted(8, formatDatetime(kind.value));
      case 'arrayValue':
        return kind.value.values.map(writeValue);
      case 'sparseValue':
        return counted(8 * kind.value.dimensions.length, sparseToJson(kind.value));
      case 'vectorValue': {
        const size = kind.value.encoding.value?.length ?? 0;
        return counted(size, vectorEncoding === 'base64' ? base64OfVector(kind.value) : numbersOfVector(kind.value));
      }
    }
  };
  return {
    id: (id) => {
      const kind = id?.kind;
      switch (kind?.case) {
        case 'u64':
          return counted(8, jsonInteger(kind.value));
        case 'uuid':
          return counted(16, formatUuid(kind.value));
        case 'text':
          return writeText(kind.value);
        default:
          throw new LagoonError('internal', 'a row came without an id');
      }
    },
    value: writeValue,
    logicalBytes: () => bytes,
  };
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** Of f32, whatever the attribute's element. */
function base64OfVector(vector: VectorValue): string {
  if (vector.encoding.case === 'f32') return toBase64(vector.encoding.value);
  return toBase64(new Uint8Array(floatsOfVector(vector, 'vector')?.buffer ?? new ArrayBuffer(0)));
}

/** Each by the shortest decimal that reads back as the same value of the attribute's element. */
function numbersOfVector(vector: VectorValue): number[] {
  const values = Array.from(floatsOfVector(vector, 'vector') ?? []);
  const element = vector.encoding.case;
  if (element === 'i8') return values;
  return values.map(element === 'f16' ? shortestF16 : shortestF32);
}

export function floatsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Array<number>(Math.floor(bytes.byteLength / 4));
  for (let index = 0; index < out.length; index++) out[index] = shortestF32(view.getFloat32(index * 4, true));
  return out;
}

function performanceToJson(statistics: QueryStatistics | undefined, totalMs: number): JsonObject {
  const hits = Number(statistics?.cacheHitCount ?? 0n);
  const misses = Number(statistics?.cacheMissCount ?? 0n);
  return {
    cache_hit_ratio: misses === 0 ? 1 : hits / (hits + misses),
    cache_temperature: misses === 0 ? 'hot' : hits === 0 ? 'cold' : 'warm',
    server_total_ms: roundMs(totalMs),
    query_execution_ms: roundMs(statistics?.executionMs ?? 0),
    exhaustive_search_count: Number(statistics?.exhaustiveRowCount ?? 0n),
    approx_namespace_size: Number(statistics?.rowCount ?? 0n),
  };
}

function profileToJson({ statistics, steps }: QueryResponse): JsonObject {
  if (statistics === undefined) return {};
  return {
    exact: statistics.exact,
    scored_row_count: Number(statistics.scoredRowCount),
    exhaustive_row_count: Number(statistics.exhaustiveRowCount),
    row_count: Number(statistics.rowCount),
    pruned_segment_count: Number(statistics.prunedSegmentCount),
    store_request_count: Number(statistics.storeRequestCount),
    store_bytes: Number(statistics.storeBytes),
    cache_hit_count: Number(statistics.cacheHitCount),
    cache_miss_count: Number(statistics.cacheMissCount),
    execution_ms: roundMs(statistics.executionMs),
    steps: planStepsToJson(steps),
  };
}

/** To the microsecond: more digits are noise. */
export function roundMs(durationMs: number): number {
  return Math.round(durationMs * 1000) / 1000;
}
