import { invalidArgument } from '@lagoon/base';
import type { LagoonService } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import type { CallContext, CallOptions, ServiceImplementation } from '@lagoon/rpc';
import type { GatewayConfig } from '../config.ts';
import type { GatewayDeps } from '../deps.ts';
import type { Admission } from '../http/admission.ts';
import { checkNamespaceName } from '../http/routes.ts';
import { checkListParameters } from '../namespace/list-parameters.ts';
import { askMultiQuery } from '../query/multi-query.ts';
import { checkFilter, checkMultiQuery, checkQuery } from './check-query.ts';
import { checkSchema } from './check-schema.ts';
import { createLineageMethods } from './lineage-methods.ts';
import { toAppendRequest, toWriteResponse } from './write-message.ts';

/** The public gRPC service: the same checks and the same backends as HTTP, without the dialect's JSON. */
export function createLagoonService(
  deps: GatewayDeps,
  config: GatewayConfig,
  admission: Admission,
): ServiceImplementation<typeof LagoonService> {
  const options = (context: CallContext, timeoutMs: number): CallOptions => ({
    signal: context.signal,
    timeoutMs,
    ...(context.traceparent === undefined ? {} : { traceparent: context.traceparent }),
  });
  return {
    ...createLineageMethods(deps, config, admission, options),
    write: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      const append = toAppendRequest(request, namespace, config.blockBytesMax);
      const answer = await deps.ingester(namespace).append(append, options(context, config.writeTimeoutMs));
      return toWriteResponse(answer);
    },
    query: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      checkQuery(request);
      return await deps.queryNode(namespace).query(request, options(context, config.queryTimeoutMs));
    },
    multiQuery: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      checkMultiQuery(request);
      return await askMultiQuery(deps, { ...request, namespace }, options(context, config.queryTimeoutMs));
    },
    measureRecall: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      if (request.filter !== undefined) checkFilter(request.filter, 'filter');
      return await deps.queryNode(namespace).measureRecall(request, options(context, config.queryTimeoutMs));
    },
    getMetadata: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      return await deps.queryNode(namespace).getMetadata(request, options(context, config.adminTimeoutMs));
    },
    listNamespaces: async (request, context) => {
      using _admitted = admission.enter();
      checkListParameters(request);
      return await deps.anyQueryNode().listNamespaces(request, options(context, config.adminTimeoutMs));
    },
    updateSchema: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      const schema = checkSchema(request.schema);
      if (schema === undefined) throw invalidArgument('schema is missing');
      const update = { namespace, schema: schema.message };
      return await deps.ingester(namespace).updateSchema(update, options(context, config.adminTimeoutMs));
    },
    updateSettings: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      return await deps.ingester(namespace).updateSettings(request, options(context, config.adminTimeoutMs));
    },
    deleteNamespace: async (request, context) => {
      using _admitted = admission.enter();
      const namespace = checkNamespaceName(request.namespace);
      return await deps.ingester(namespace).deleteNamespace(request, options(context, config.adminTimeoutMs));
    },
  };
}
