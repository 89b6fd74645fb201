import { type DocumentId, idAt, openBlock } from '@lagoon/format';
import type { AppendResponse } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { jsonInteger } from '../json/json-integer.ts';
import type { JsonObject } from '../json/shape.ts';

/** A write's answer in the dialect's form. Counts and lists that are zero or empty are left out, as the dialect does. */
export function writeAnswerToJson(answer: AppendResponse, performance: JsonObject): JsonObject {
  const upserted = Number(answer.rowsUpserted);
  const patched = Number(answer.rowsPatched);
  const deleted = Number(answer.rowsDeleted);
  return {
    status: 'OK',
    message: messageOf({ upserted, patched, deleted }),
    rows_affected: upserted + patched + deleted,
    ...(upserted > 0 ? { rows_upserted: upserted } : {}),
    ...(patched > 0 ? { rows_patched: patched } : {}),
    ...(deleted > 0 ? { rows_deleted: deleted } : {}),
    ...(answer.rowsRemaining ? { rows_remaining: true } : {}),
    ...idsOf('upserted_ids', answer.affectedIds?.upserted),
    ...idsOf('patched_ids', answer.affectedIds?.patched),
    ...idsOf('deleted_ids', answer.affectedIds?.deleted),
    billing: { billable_logical_bytes_written: jsonInteger(answer.logicalBytesWritten) },
    performance,
    manifest_generation: jsonInteger(answer.manifestGeneration),
  };
}

function idsOf(name: string, bytes: Uint8Array | undefined): JsonObject {
  if (bytes === undefined || bytes.length === 0) return {};
  const { ids } = openBlock(bytes);
  return { [name]: Array.from({ length: ids.count }, (_, row) => idToJson(idAt(ids, row))) };
}

function idToJson(id: DocumentId): unknown {
  return typeof id === 'bigint' ? jsonInteger(id) : id;
}

function messageOf(counts: Readonly<Record<string, number>>): string {
  const parts = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([verb, count]) => `${verb} ${count} ${count === 1 ? 'row' : 'rows'}`);
  return parts.length === 0 ? 'no rows changed' : parts.join(', ');
}
