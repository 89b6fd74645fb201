import { sha256, unimplemented } from '@lagoon/base';
import { formatDatetime } from '@lagoon/format';
import type { Snapshot } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import type { CallOptions } from '@lagoon/rpc';
import type { GatewayConfig } from '../config.ts';
import type { GatewayDeps } from '../deps.ts';
import type { Endpoint, EndpointCall } from '../http/endpoints.ts';
import type { GatewayResponse } from '../http/message.ts';
import { jsonResponse } from '../http/status.ts';
import { jsonInteger } from '../json/json-integer.ts';
import { parseJson } from '../json/parse-json.ts';
import type { JsonObject } from '../json/shape.ts';
import { roundMs } from '../query/query-response.ts';
import { checkIdempotencyKey } from '../write/parse-write.ts';
import type { BranchMessage, BranchWrite } from './parse-branch.ts';
import { checkSnapshotName, parseRestore, parseSnapshot } from './parse-snapshot.ts';

export type LineageEndpointName = 'createSnapshot' | 'listSnapshots' | 'deleteSnapshot' | 'restore';

export interface LineageEndpoints extends Readonly<Record<LineageEndpointName, Endpoint>> {
  /** A write that makes its namespace out of another one. */
  branch(call: EndpointCall, write: BranchWrite): Promise<GatewayResponse>;
}

/** Branches, snapshots and restores; `options` gives a call's deadline. */
export function createLineageEndpoints(
  deps: GatewayDeps,
  config: Pick<GatewayConfig, 'writeTimeoutMs' | 'adminTimeoutMs'>,
  options: (call: EndpointCall, timeoutMs: number) => CallOptions,
): LineageEndpoints {
  const bear = async (call: EndpointCall, message: BranchMessage & { namespace?: string }) => {
    const client = deps.ingester(message.namespace ?? call.namespace);
    return await client.branch({ ...message, ...keyOf(call) }, options(call, config.writeTimeoutMs));
  };
  return {
    branch: async (call, { field, message }) => {
      const answer = await bear(call, message);
      return jsonResponse(200, {
        status: 'OK',
        message: field === 'copy_from_namespace' ? 'copied the namespace' : 'branched the namespace',
        rows_affected: 0,
        billing: { billable_logical_bytes_written: 0 },
        performance: { server_total_ms: roundMs(deps.clock.monotonicMs() - call.startedMs) },
        manifest_generation: jsonInteger(answer.manifestGeneration),
        source_generation: jsonInteger(answer.sourceGeneration),
      });
    },
    restore: async (call) => {
      const message = parseRestore(parseJson(call.request.body), call.namespace);
      const answer = await bear(call, message);
      return jsonResponse(200, {
        status: 'OK',
        namespace: message.namespace,
        manifest_generation: jsonInteger(answer.manifestGeneration),
        source_generation: jsonInteger(answer.sourceGeneration),
      });
    },
    createSnapshot: async (call) => {
      const message = parseSnapshot(parseJson(call.request.body), call.namespace);
      const client = deps.ingester(call.namespace);
      const { snapshot } = await client.createSnapshot(message, options(call, config.adminTimeoutMs));
      if (snapshot === undefined) throw unimplemented('snapshots');
      return jsonResponse(200, { status: 'OK', snapshot: snapshotToJson(snapshot) });
    },
    listSnapshots: async (call) => {
      const client = deps.ingester(call.namespace);
      const answer = await client.listSnapshots({ namespace: call.namespace }, options(call, config.adminTimeoutMs));
      return jsonResponse(200, { snapshots: answer.snapshots.map(snapshotToJson) });
    },
    deleteSnapshot: async (call) => {
      const name = checkSnapshotName(call.parameter);
      const client = deps.ingester(call.namespace);
      await client.deleteSnapshot({ namespace: call.namespace, name }, options(call, config.adminTimeoutMs));
      return jsonResponse(200, { status: 'OK' });
    },
  };
}

function snapshotToJson({ name, manifestGeneration, createdAtMs }: Snapshot): JsonObject {
  return { name, manifest_generation: jsonInteger(manifestGeneration), created_at: formatDatetime(createdAtMs) };
}

/** A birth that is sent again under its key has the outcome of the first. */
function keyOf({ request }: EndpointCall): { idempotencyKey: string; bodyHash: Uint8Array } | Record<string, never> {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return {};
  checkIdempotencyKey(key);
  return { idempotencyKey: key, bodyHash: sha256(request.body) };
}
