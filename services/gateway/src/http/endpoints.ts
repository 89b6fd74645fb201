import type { CallOptions } from '@lagoon/rpc';
import type { GatewayConfig } from '../config.ts';
import type { GatewayDeps } from '../deps.ts';
import { jsonInteger } from '../json/json-integer.ts';
import { parseJson } from '../json/parse-json.ts';
import { wrongValue } from '../json/shape.ts';
import { createExportEndpoint } from '../lineage/export-endpoint.ts';
import { createLineageEndpoints } from '../lineage/lineage-endpoints.ts';
import { createOperationEndpoints } from '../lineage/operation-endpoints.ts';
import { parseBranchWrite } from '../lineage/parse-branch.ts';
import { parseListParameters } from '../namespace/list-parameters.ts';
import { metadataToJson } from '../namespace/metadata-json.ts';
import { parseSettings } from '../namespace/parse-settings.ts';
import { askMultiQuery } from '../query/multi-query.ts';
import { isMultiQuery, parseMultiQuery } from '../query/parse-multi-query.ts';
import { parseQuery } from '../query/parse-query.ts';
import { planText } from '../query/plan-text.ts';
import { multiQueryResponseToJson, queryResponseToJson, roundMs } from '../query/query-response.ts';
import { parseRecall, recallToJson } from '../query/recall.ts';
import { parseSchema } from '../schema/parse-schema.ts';
import { schemaToJson } from '../schema/schema-json.ts';
import { parseWrite } from '../write/parse-write.ts';
import { writeAnswerToJson } from '../write/write-answer.ts';
import type { GatewayRequest, GatewayResponse } from './message.ts';
import type { EndpointName } from './routes.ts';
import { jsonResponse } from './status.ts';

export interface EndpointCall {
  readonly request: GatewayRequest;
  readonly namespace: string;
  /** The path's other variable segment; empty where it has none. */
  readonly parameter: string;
  readonly startedMs: number;
  readonly signal: AbortSignal;
  readonly traceparent: string | undefined;
}

export type Endpoint = (call: EndpointCall) => Promise<GatewayResponse>;

/** What each served endpoint does with a request that the router gave it. */
export function createEndpoints(deps: GatewayDeps, config: GatewayConfig): Readonly<Record<EndpointName, Endpoint>> {
  const elapsedMs = (call: EndpointCall) => deps.clock.monotonicMs() - call.startedMs;
  const options = (call: EndpointCall, timeoutMs: number): CallOptions => ({
    signal: call.signal,
    timeoutMs,
    ...(call.traceparent === undefined ? {} : { traceparent: call.traceparent }),
  });
  const getSchema: Endpoint = async (call) => {
    const client = deps.queryNode(call.namespace);
    const metadata = await client.getMetadata({ namespace: call.namespace }, options(call, config.adminTimeoutMs));
    return jsonResponse(200, schemaToJson(metadata.schema));
  };
  const getMetadata: Endpoint = async (call) => {
    const client = deps.queryNode(call.namespace);
    const metadata = await client.getMetadata({ namespace: call.namespace }, options(call, config.adminTimeoutMs));
    return jsonResponse(200, metadataToJson(metadata));
  };
  const lineage = createLineageEndpoints(deps, config, options);
  return {
    ...lineage,
    ...createOperationEndpoints(deps, config, options),
    export: createExportEndpoint(deps, config, options),
    write: async (call) => {
      const body = parseJson(call.request.body);
      const branch = parseBranchWrite(body, call.namespace);
      if (branch !== undefined) return await lineage.branch(call, branch);
      const append = parseWrite(body, {
        namespace: call.namespace,
        idempotencyKey: call.request.headers['idempotency-key'],
        body: call.request.body,
        blockBytesMax: config.blockBytesMax,
      });
      const client = deps.ingester(call.namespace);
      const answer = await client.append(append, options(call, config.writeTimeoutMs));
      return jsonResponse(200, writeAnswerToJson(answer, { server_total_ms: roundMs(elapsedMs(call)) }));
    },
    query: async (call) => {
      const body = parseJson(call.request.body);
      if (isMultiQuery(body)) {
        const several = parseMultiQuery(body, call.namespace);
        const answers = await askMultiQuery(deps, several.request, options(call, config.queryTimeoutMs));
        return jsonResponse(200, multiQueryResponseToJson(answers, several, elapsedMs(call)));
      }
      const query = parseQuery(body, call.namespace);
      const client = deps.queryNode(call.namespace);
      const answer = await client.query(query.request, options(call, config.queryTimeoutMs));
      return jsonResponse(200, queryResponseToJson(answer, query, elapsedMs(call)));
    },
    explainQuery: async (call) => {
      const body = parseJson(call.request.body);
      if (isMultiQuery(body)) throw wrongValue('queries', 'one query is explained at a time');
      const { request } = parseQuery(body, call.namespace);
      const client = deps.queryNode(call.namespace);
      const { steps } = await client.query({ ...request, traced: true }, options(call, config.queryTimeoutMs));
      return jsonResponse(200, { plan_text: planText(steps) });
    },
    measureRecall: async (call) => {
      const body = call.request.body.length === 0 ? undefined : parseJson(call.request.body);
      const request = parseRecall(body, call.namespace);
      const client = deps.queryNode(call.namespace);
      const answer = await client.measureRecall(request, options(call, config.queryTimeoutMs));
      return jsonResponse(200, recallToJson(answer, request.includeGroundTruth === true));
    },
    getMetadata,
    updateMetadata: async (call) => {
      const update = parseSettings(parseJson(call.request.body), call.namespace);
      await deps.ingester(call.namespace).updateSettings(update, options(call, config.adminTimeoutMs));
      return getMetadata(call);
    },
    getSchema,
    updateSchema: async (call) => {
      if (call.request.body.length === 0) return getSchema(call);
      const value = parseJson(call.request.body);
      if (value === null || isObjectWithoutFields(value)) return getSchema(call);
      const schema = parseSchema(value, 'schema');
      const client = deps.ingester(call.namespace);
      const answer = await client.updateSchema(
        { namespace: call.namespace, schema: schema.message },
        options(call, config.adminTimeoutMs),
      );
      return jsonResponse(200, schemaToJson(answer.schema));
    },
    deleteNamespace: async (call) => {
      const client = deps.ingester(call.namespace);
      const answer = await client.deleteNamespace({ namespace: call.namespace }, options(call, config.adminTimeoutMs));
      return jsonResponse(200, { status: 'OK', manifest_generation: jsonInteger(answer.manifestGeneration) });
    },
    warmCache: async (call) => {
      await deps.queryNode(call.namespace).warm({ namespace: call.namespace }, options(call, config.adminTimeoutMs));
      return jsonResponse(202, { status: 'ACCEPTED', message: 'warming the cache' });
    },
    purgeCache: async (call) => {
      await deps.queryNode(call.namespace).purge({ namespace: call.namespace }, options(call, config.adminTimeoutMs));
      return jsonResponse(200, { status: 'OK', message: 'nothing of the namespace is cached' });
    },
    listNamespaces: async (call) => {
      const parameters = parseListParameters(call.request.query);
      const answer = await deps.anyQueryNode().listNamespaces(parameters, options(call, config.adminTimeoutMs));
      return jsonResponse(200, {
        namespaces: answer.names.map((id) => ({ id })),
        next_cursor: answer.nextCursor === '' ? null : answer.nextCursor,
      });
    },
  };
}

function isObjectWithoutFields(value: unknown): boolean {
  return typeof value === 'object' && !Array.isArray(value) && Object.keys(value ?? {}).length === 0;
}
