import type { MessageInitShape } from '@bufbuild/protobuf';
import { invalidArgument, sha256, unimplemented } from '@lagoon/base';
import type { AttributeType } from '@lagoon/format';
import type { AppendRequestSchema } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { asBoolean, asObject, type JsonObject, refuseUnknownFields } from '../json/shape.ts';
import { isGiven, parseDistanceMetric, parseSchema } from '../schema/parse-schema.ts';
import { buildBlock } from './build-block.ts';
import { buildPatch } from './build-patch.ts';
import { collectDocuments } from './collect-documents.ts';
import { addDeletes, createIdCollector } from './ids.ts';
import { hasFilterWork, parseConditions } from './parse-conditions.ts';

/** Names of the dialect that this version knows and does not serve: 501 with the name. */
const unservedFields = ['encryption', 'sharding'] as const;

const servedFields = [
  'upsert_rows',
  'upsert_columns',
  'patch_rows',
  'patch_columns',
  'deletes',
  'upsert_condition',
  'patch_condition',
  'delete_condition',
  'delete_by_filter',
  'delete_by_filter_allow_partial',
  'patch_by_filter',
  'patch_by_filter_allow_partial',
  'return_affected_ids',
  'schema',
  'distance_metric',
  'create_namespace',
  'disable_backpressure',
] as const;

const knownFields: ReadonlySet<string> = new Set([...servedFields, ...unservedFields]);

export interface WriteContext {
  readonly namespace: string;
  readonly idempotencyKey: string | undefined;
  /** The body as it came, for the key's hash. */
  readonly body: Uint8Array;
  readonly blockBytesMax: number;
}

/** Reads a write's body into what the ingester takes. The whole request is checked before anything is sent on. */
export function parseWrite(value: unknown, context: WriteContext): MessageInitShape<typeof AppendRequestSchema> {
  const body = asObject(value, 'body');
  refuseUnknownFields(body, '', knownFields);
  refuseUnserved(body);
  const ids = createIdCollector();
  const documents = collectDocuments(body, 'upsert', ids, context.blockBytesMax);
  const patches = collectDocuments(body, 'patch', ids, context.blockBytesMax);
  if (isGiven(body.deletes)) addDeletes(ids, body.deletes, 'deletes');
  const schema = isGiven(body.schema) ? parseSchema(body.schema, 'schema') : undefined;
  const types = schema?.types ?? new Map<string, AttributeType>();
  const idList = ids.list();
  const block = buildBlock(idList, documents, types, context.blockBytesMax);
  const patch = buildPatch(idList.idKind, idList.patches, patches, types, context.blockBytesMax);
  const conditions = parseConditions(body, types, context.blockBytesMax);
  const createNamespace = readFlag(body, 'create_namespace');
  const hasRows = block.length > 0 || patch !== undefined || hasFilterWork(conditions);
  if (!hasRows && schema === undefined && createNamespace !== true) {
    throw invalidArgument('the write holds nothing to do: no rows, no patches, no deletes, no schema');
  }
  return {
    namespace: context.namespace,
    block,
    ...(patch === undefined ? {} : { patch }),
    ...conditions,
    ...(schema === undefined ? {} : { schema: schema.message }),
    distanceMetric: isGiven(body.distance_metric) ? parseDistanceMetric(body.distance_metric, 'distance_metric') : '',
    ...keyOf(context),
    ...(createNamespace === undefined ? {} : { createNamespace }),
    disableBackpressure: readFlag(body, 'disable_backpressure') ?? false,
  };
}

function refuseUnserved(body: JsonObject): void {
  for (const name of unservedFields) {
    if (isGiven(body[name])) throw unimplemented(name);
  }
}

function readFlag(body: JsonObject, name: string): boolean | undefined {
  const value = body[name];
  return isGiven(value) ? asBoolean(value, name) : undefined;
}

const keyBytesMax = 256;

function keyOf(context: WriteContext): { idempotencyKey: string; bodyHash: Uint8Array } | Record<string, never> {
  const key = context.idempotencyKey;
  if (key === undefined) return {};
  checkIdempotencyKey(key);
  return { idempotencyKey: key, bodyHash: sha256(context.body) };
}

export function checkIdempotencyKey(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes === 0 || bytes > keyBytesMax) {
    throw invalidArgument('an idempotency key has 1 to 256 bytes', { bytes });
  }
}
