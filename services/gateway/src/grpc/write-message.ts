import { type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { invalidArgument, sha256 } from '@lagoon/base';
import { type DocumentId, type IdKind, idAt, openBlock, parseUuid } from '@lagoon/format';
import type { AppendRequestSchema, AppendResponse } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { type WriteRequest, WriteRequestSchema, type WriteResponseSchema } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import type { IdSchema } from '@lagoon/proto/lagoon/v1/value_pb.js';
import { parseDistanceMetric } from '../schema/parse-schema.ts';
import type { Conditions } from '../write/parse-conditions.ts';
import { checkIdempotencyKey } from '../write/parse-write.ts';
import { checkFilter } from './check-query.ts';
import { checkSchema } from './check-schema.ts';
import { encodeDocuments, encodeFilterPatch } from './documents.ts';

type AppendInit = MessageInitShape<typeof AppendRequestSchema>;

/** A write over gRPC as the ingester takes it; the same checks as over HTTP. */
export function toAppendRequest(request: WriteRequest, namespace: string, blockBytesMax: number): AppendInit {
  const { block, patch } = encodeDocuments(request, blockBytesMax);
  const schema = checkSchema(request.schema);
  const conditions = toConditions(request, blockBytesMax);
  const hasFilter = request.deleteByFilter !== undefined || request.patchByFilter !== undefined;
  const hasRows = block.length > 0 || patch !== undefined || hasFilter;
  if (!hasRows && schema === undefined && request.createNamespace !== true) {
    throw invalidArgument('the write holds nothing to do: no rows, no patches, no deletes, no schema');
  }
  if (request.distanceMetric !== '') parseDistanceMetric(request.distanceMetric, 'distance_metric');
  return {
    namespace,
    block,
    ...(patch === undefined ? {} : { patch }),
    ...conditions,
    ...(schema === undefined ? {} : { schema: schema.message }),
    distanceMetric: request.distanceMetric,
    ...keyOf(request),
    ...(request.createNamespace === undefined ? {} : { createNamespace: request.createNamespace }),
    disableBackpressure: request.disableBackpressure,
  };
}

export function toWriteResponse(answer: AppendResponse): MessageInitShape<typeof WriteResponseSchema> {
  const { affectedIds, manifestGeneration, logicalBytesWritten } = answer;
  const { rowsUpserted, rowsPatched, rowsDeleted, rowsRemaining } = answer;
  return {
    manifestGeneration,
    rowsUpserted,
    rowsPatched,
    rowsDeleted,
    rowsRemaining,
    logicalBytesWritten,
    upsertedIds: idMessages(affectedIds?.upserted),
    patchedIds: idMessages(affectedIds?.patched),
    deletedIds: idMessages(affectedIds?.deleted),
  };
}

function toConditions(request: WriteRequest, blockBytesMax: number): Conditions {
  const { upsertCondition, patchCondition, deleteCondition, deleteByFilter, patchByFilter } = request;
  const filters = {
    upsert_condition: upsertCondition,
    patch_condition: patchCondition,
    delete_condition: deleteCondition,
    delete_by_filter: deleteByFilter?.filter,
    patch_by_filter: patchByFilter?.filter,
  };
  for (const [path, filter] of Object.entries(filters)) if (filter !== undefined) checkFilter(filter, path);
  for (const work of [deleteByFilter, patchByFilter]) {
    if (work !== undefined && work.filter === undefined) throw invalidArgument('a write by filter has a filter');
  }
  return {
    ...(upsertCondition === undefined ? {} : { upsertCondition }),
    ...(patchCondition === undefined ? {} : { patchCondition }),
    ...(deleteCondition === undefined ? {} : { deleteCondition }),
    ...(deleteByFilter?.filter === undefined
      ? {}
      : { deleteByFilter: { filter: deleteByFilter.filter, allowPartial: deleteByFilter.allowPartial } }),
    ...(patchByFilter?.filter === undefined
      ? {}
      : {
          patchByFilter: {
            filter: patchByFilter.filter,
            patch: encodeFilterPatch(patchByFilter.attributes, blockBytesMax),
            allowPartial: patchByFilter.allowPartial,
          },
        }),
    returnAffectedIds: request.returnAffectedIds,
  };
}

function keyOf(request: WriteRequest): { idempotencyKey: string; bodyHash: Uint8Array } | Record<string, never> {
  if (request.idempotencyKey === '') return {};
  checkIdempotencyKey(request.idempotencyKey);
  return { idempotencyKey: request.idempotencyKey, bodyHash: sha256(toBinary(WriteRequestSchema, request)) };
}

function idMessages(bytes: Uint8Array | undefined): MessageInitShape<typeof IdSchema>[] {
  if (bytes === undefined || bytes.length === 0) return [];
  const { ids, idKind } = openBlock(bytes);
  return Array.from({ length: ids.count }, (_, row) => idMessage(idKind, idAt(ids, row)));
}

function idMessage(idKind: IdKind, id: DocumentId): MessageInitShape<typeof IdSchema> {
  if (typeof id === 'bigint') return { kind: { case: 'u64', value: id } };
  const uuid = idKind === 'uuid' ? parseUuid(id) : undefined;
  return { kind: uuid === undefined ? { case: 'text', value: id } : { case: 'uuid', value: uuid } };
}
