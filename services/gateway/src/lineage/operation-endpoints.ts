import { type ErrorCode, type ErrorReason, invalidArgument, LagoonError } from '@lagoon/base';
import { formatDatetime } from '@lagoon/format';
import type { BranchResponse, Operation, OperationError } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import type { CallOptions } from '@lagoon/rpc';
import type { GatewayConfig } from '../config.ts';
import type { GatewayDeps } from '../deps.ts';
import type { Endpoint, EndpointCall } from '../http/endpoints.ts';
import { isErrorCode, isErrorReason, jsonResponse, statusOf } from '../http/status.ts';
import { jsonInteger } from '../json/json-integer.ts';
import { parseJson } from '../json/parse-json.ts';
import type { JsonObject } from '../json/shape.ts';
import { checkIdempotencyKey } from '../write/parse-write.ts';
import { parseBranchWrite } from './parse-branch.ts';

export type OperationEndpointName = 'startCopy' | 'getOperation';

/** Copies that are answered with a token, and their outcome by it. */
export function createOperationEndpoints(
  deps: GatewayDeps,
  config: Pick<GatewayConfig, 'writeTimeoutMs'>,
  options: (call: EndpointCall, timeoutMs: number) => CallOptions,
): Readonly<Record<OperationEndpointName, Endpoint>> {
  return {
    startCopy: async (call) => {
      const write = parseBranchWrite(parseJson(call.request.body), call.namespace);
      if (write?.field !== 'copy_from_namespace')
        throw invalidArgument('the body has copy_from_namespace, and nothing else');
      const idempotencyKey = call.request.headers['idempotency-key'] ?? '';
      if (idempotencyKey !== '') checkIdempotencyKey(idempotencyKey);
      const message = { namespace: call.namespace, source: write.message.source ?? '', idempotencyKey };
      const answer = await deps.ingester(call.namespace).startCopy(message, options(call, config.writeTimeoutMs));
      return jsonResponse(200, { token: answer.token });
    },
    getOperation: async (call) => {
      const message = { namespace: call.namespace, token: call.parameter };
      const client = deps.ingester(call.namespace);
      return jsonResponse(
        200,
        operationToJson(await client.getOperation(message, options(call, config.writeTimeoutMs))),
      );
    },
  };
}

function operationToJson({ startedAtMs, finishedAtMs, outcome }: Operation): JsonObject {
  const started = { start_time: formatDatetime(startedAtMs) };
  if (outcome.case === undefined) return { status: 'running', ...started };
  const totalMs = Number(finishedAtMs - startedAtMs);
  const result =
    outcome.case === 'copied'
      ? { success: copiedToJson(outcome.value, totalMs) }
      : { error: errorToJson(outcome.value) };
  return { status: 'finished', ...started, finish_time: formatDatetime(finishedAtMs), result };
}

/** As the same copy is answered without a token. */
function copiedToJson({ manifestGeneration, sourceGeneration }: BranchResponse, totalMs: number): JsonObject {
  return {
    status: 'OK',
    message: 'copied the namespace',
    rows_affected: 0,
    billing: { billable_logical_bytes_written: 0 },
    performance: { server_total_ms: totalMs },
    manifest_generation: jsonInteger(manifestGeneration),
    source_generation: jsonInteger(sourceGeneration),
  };
}

function errorToJson({ code, reason, message }: OperationError): JsonObject {
  const known: ErrorCode = isErrorCode(code) ? code : 'internal';
  const why: { readonly reason?: ErrorReason } = isErrorReason(reason) ? { reason } : {};
  const status = statusOf(new LagoonError(known, message, why));
  return { status_code: status, detail: { status: 'error', error: message } };
}
