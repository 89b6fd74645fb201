import type { MessageInitShape } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSystemClock, isLagoonError, mapBounded, noMetrics, silentLog } from '@lagoon/base';
import { LagoonService } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import type { MultiQueryRequestSchema, QueryRequestSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { createRemoteClient } from '@lagoon/rpc';
import { noTracer } from '@lagoon/telemetry';
import { parseMultiQuery } from '../../services/gateway/src/query/parse-multi-query.ts';
import { parseQuery } from '../../services/gateway/src/query/parse-query.ts';
import { send } from '../support/http.ts';
import { type ServerTarget, startOneServer } from '../support/server-target.ts';
import { messageMutationsOf } from './mutate-message.ts';
import { sampleWrite, validQueries } from './query-samples.ts';

/** The same over gRPC, where no parser of JSON stands in front: to the gateway, and to the query node past it. */
const deps = { clock: createSystemClock(), log: silentLog, metrics: noMetrics, tracer: noTracer };
const concurrency = 8;
const options = { timeoutMs: 20_000 };
let target: ServerTarget;

type QueryInit = MessageInitShape<typeof QueryRequestSchema>;
type MultiQueryInit = MessageInitShape<typeof MultiQueryRequestSchema>;

beforeAll(async () => {
  target = await startOneServer();
  for (let i = 0; i < 2; i++) {
    expect(await send(target.url, 'POST', '/v2/namespaces/m', { body: sampleWrite })).toMatchObject({ status: 200 });
  }
});

afterAll(async () => {
  await target?.close();
});

const singles = validQueries.filter((query) => !('queries' in query)).map((query) => parseQuery(query, 'm').request);
/** The gateway refuses a consistency of one of several, which its own parser fills in. */
const several = validQueries
  .filter((query) => 'queries' in query)
  .map((query) => parseMultiQuery(query, 'm').request)
  .map(
    (request) =>
      ({ ...request, queries: request.queries?.map(({ consistency: _, ...rest }) => rest) ?? [] }) as MultiQueryInit,
  );

async function expectRefusedCleanly<T>(requests: readonly T[], ask: (request: T) => Promise<unknown>): Promise<number> {
  const mutations = requests.flatMap((request) =>
    messageMutationsOf({ ...request }, ['namespace', 'minManifestGeneration']),
  );
  const faults: string[] = [];
  let refusedCount = 0;
  await mapBounded(mutations, concurrency, async ({ title, message }) => {
    try {
      await ask(message as T);
    } catch (error) {
      refusedCount++;
      const fault = faultOf(error);
      if (fault !== undefined) faults.push(`${title}: ${fault}`);
    }
  });
  expect(faults).toEqual([]);
  process.stdout.write(`changed messages: ${mutations.length}, refused: ${refusedCount}\n`);
  return refusedCount;
}

/** What is wrong with a refusal. */
function faultOf(error: unknown): string | undefined {
  if (!isLagoonError(error)) return String(error);
  const { code, message } = error;
  if (code !== 'invalid_argument') return `${code} ${message}`;
  if (message.startsWith('request cannot be encoded')) return undefined; // no sender can put it on the wire
  return /^[^ ]+: ./.test(message) ? undefined : `no place: ${message}`;
}

describe.each([
  ['the gateway', LagoonService],
  ['a query node', QueryNodeService],
] as const)('messages with one thing wrong, to %s', (_, service) => {
  test('are refused by their place', async () => {
    const remote = createRemoteClient(service, target.grpcAddress, deps);
    const client = remote.client as { query(request: QueryInit, given: typeof options): Promise<unknown> };
    try {
      for (const request of singles) await client.query(request, options);
      expect(await expectRefusedCleanly(singles, (request) => client.query(request, options))).toBeGreaterThan(100);
    } finally {
      remote.close();
    }
  });

  test('several queries of one instant', async () => {
    const remote = createRemoteClient(service, target.grpcAddress, deps);
    const client = remote.client as { multiQuery(request: MultiQueryInit, given: typeof options): Promise<unknown> };
    const asked = service === LagoonService ? several : several.map(({ fusion: _fusion, ...rest }) => rest);
    try {
      for (const request of asked) await client.multiQuery(request, options);
      expect(await expectRefusedCleanly(asked, (request) => client.multiQuery(request, options))).toBeGreaterThan(50);
    } finally {
      remote.close();
    }
  });
});
