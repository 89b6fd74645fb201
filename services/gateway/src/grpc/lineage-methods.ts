import { toBinary } from '@bufbuild/protobuf';
import { invalidArgument, sha256 } from '@lagoon/base';
import type { LagoonService } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import { type BranchRequest, BranchRequestSchema } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import type { CallContext, CallOptions, ServiceImplementation } from '@lagoon/rpc';
import type { GatewayConfig } from '../config.ts';
import type { GatewayDeps } from '../deps.ts';
import type { Admission } from '../http/admission.ts';
import { checkNamespaceName } from '../http/routes.ts';
import { checkSnapshotName } from '../lineage/parse-snapshot.ts';
import { checkIdempotencyKey } from '../write/parse-write.ts';

type LineageMethods =
  | 'branch'
  | 'startCopy'
  | 'getOperation'
  | 'createSnapshot'
  | 'listSnapshots'
  | 'deleteSnapshot'
  | 'export';

/** Branches and snapshots of the public gRPC service. */
export function createLineageMethods(
  deps: GatewayDeps,
  config: Pick<GatewayConfig, 'writeTimeoutMs' | 'adminTimeoutMs' | 'queryTimeoutMs'>,
  admission: Admission,
  options: (context: CallContext, timeoutMs: number) => CallOptions,
): Pick<ServiceImplementation<typeof LagoonService>, LineageMethods> {
  return {
    branch: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      checkNamespaceName(request.source);
      if (request.snapshot !== '') checkSnapshotName(request.snapshot);
      const keyed = { ...request, ...keyOf(request) };
      return await deps.ingester(namespace).branch(keyed, options(context, config.writeTimeoutMs));
    },
    startCopy: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      checkNamespaceName(request.source);
      if (request.idempotencyKey !== '') checkIdempotencyKey(request.idempotencyKey);
      return await deps.ingester(namespace).startCopy(request, options(context, config.writeTimeoutMs));
    },
    getOperation: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      return await deps.ingester(namespace).getOperation(request, options(context, config.writeTimeoutMs));
    },
    createSnapshot: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      checkSnapshotName(request.name);
      return await deps.ingester(namespace).createSnapshot(request, options(context, config.adminTimeoutMs));
    },
    listSnapshots: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      return await deps.ingester(namespace).listSnapshots(request, options(context, config.adminTimeoutMs));
    },
    deleteSnapshot: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      checkSnapshotName(request.name);
      return await deps.ingester(namespace).deleteSnapshot(request, options(context, config.adminTimeoutMs));
    },
    export: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      return await deps.queryNode(namespace).export(request, options(context, config.queryTimeoutMs));
    },
  };
}

function keyOf(request: BranchRequest): Partial<Pick<BranchRequest, 'bodyHash'>> {
  if (request.bodyHash.length > 0) throw invalidArgument('the body hash is made by the gateway');
  if (request.idempotencyKey === '') return {};
  checkIdempotencyKey(request.idempotencyKey);
  return { bodyHash: sha256(toBinary(BranchRequestSchema, request)) };
}
