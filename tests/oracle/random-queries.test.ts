import { create } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSystemClock, createSystemRandom, noMetrics, silentLog } from '@lagoon/base';
import { LagoonService } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import { type QueryRequest, QueryRequestSchema, type QueryResponse } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { createRemoteClient } from '@lagoon/rpc';
import { noTracer } from '@lagoon/telemetry';
import { parseQuery } from '../../services/gateway/src/query/parse-query.ts';
import { queryResponseToJson } from '../../services/gateway/src/query/query-response.ts';
import { createKeepAliveAgent, send } from '../support/http.ts';
import { type ServerTarget, startOneServer } from '../support/server-target.ts';
import { waitUntil } from '../support/wait-until.ts';
import { fromJsonText, toJsonText } from './dialect-printer.ts';
import { createPlayCounts, type OracleTarget, playRandom } from './play-random.ts';

/**
 * The same as `layouts.test.ts` against a real server with its search threads, merges every two segments: each query as JSON over HTTP,
 * and as a message over gRPC to the gateway and to the query node past it. Answers are brute force's, all three.
 */
const fixedSeeds = [11, 12];
const newSeedsForMs = 10_000;
const options = { timeoutMs: 20_000 };
let server: ServerTarget;
const agent = createKeepAliveAgent(4);

beforeAll(async () => {
  const flags = { 'index-age-ms': 0, 'small-index-age-ms': 0, 'merge-fan-in': 2, 'absorb-bytes-max': 0 };
  server = await startOneServer(flags);
});

afterAll(async () => {
  agent.destroy();
  await server?.close();
});

const call: OracleTarget['call'] = async (method, path, body) => {
  const sent = body === undefined ? {} : { body: toJsonText(body) };
  const { status, text } = await send(server.url, method, path, { ...sent, agent });
  return { status, json: fromJsonText(text) };
};

const settle: OracleTarget['settle'] = (namespace) =>
  waitUntil(`${namespace} is indexed`, 30_000, async () => {
    const { json } = await call('GET', `/v2/namespaces/${namespace}/metadata`);
    return (json as { readonly index?: { readonly status?: string } }).index?.status === 'up-to-date';
  });

/** A query over gRPC: the gateway's parser only makes its message, and its printer makes the answer comparable. */
function overGrpc(query: (request: QueryRequest, given: typeof options) => Promise<QueryResponse>) {
  return async (namespace: string, body: unknown): Promise<unknown> => {
    const parsed = parseQuery(fromJsonText(toJsonText(body)), namespace);
    const response = await query(create(QueryRequestSchema, parsed.request), options);
    return fromJsonText(toJsonText(queryResponseToJson(response, parsed, 0)));
  };
}

describe('random queries on a server', () => {
  test('are answered as by brute force, over HTTP and gRPC', async () => {
    const clock = createSystemClock();
    const deps = { clock, log: silentLog, metrics: noMetrics, tracer: noTracer };
    const gateway = createRemoteClient(LagoonService, server.grpcAddress, deps);
    const queryNode = createRemoteClient(QueryNodeService, server.grpcAddress, deps);
    const otherWays = [
      overGrpc((request, given) => gateway.client.query(request, given)),
      overGrpc((request, given) => queryNode.client.query(request, given)),
    ];
    const untilMs = clock.monotonicMs() + newSeedsForMs;
    const random = createSystemRandom();
    const counts = createPlayCounts();
    const target = { call, settle, otherWays };
    const isOver = () => clock.monotonicMs() > untilMs;
    for (const seed of fixedSeeds) await playRandom(target, { seed, stepCount: 15, queriesPerStep: 6 }, counts);
    while (!isOver()) {
      const seed = random.integer(2 ** 31);
      process.stdout.write(`oracle over HTTP and gRPC: seed ${seed}\n`);
      await playRandom(target, { seed, stepCount: 30, queriesPerStep: 10, isOver }, counts);
    }
    gateway.close();
    queryNode.close();
    process.stdout.write(`oracle over HTTP and gRPC: ${JSON.stringify(counts)}\n`);
    const { text } = await send(server.url, 'GET', '/metrics', { agent });
    expect(text).toMatch(/^lagoon_compactor_merges_total\{.*committed.*\} [1-9]/m);
  }, 60_000);
});
