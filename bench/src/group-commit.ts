/**
 * Group commit: 64 writers, each with one row at a time, through the gateway's core and an ingester, on a memory store whose PUT takes a modelled 100 ms.
 * Without groups a namespace could commit ten writes a second there.
 */
import { createSystemClock, createSystemRandom, noMetrics, silentLog, utf8Encode } from '@lagoon/base';
import { createGatewayRole, defaultGatewayConfig } from '@lagoon/gateway';
import { createIngesterRole } from '@lagoon/ingester';
import { createMemoryStore, latencyModel, metered } from '@lagoon/object-store';
import { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { createLocalClient } from '@lagoon/rpc';
import { noTracer } from '@lagoon/telemetry';
import { quantile } from './statistics.ts';

const writerCount = 64;
const writesPerWriter = 40;
const putMs = 100;

async function main(): Promise<void> {
  const base = {
    clock: createSystemClock(),
    random: createSystemRandom(),
    log: silentLog,
    metrics: noMetrics,
    tracer: noTracer,
  };
  const store = metered(
    latencyModel(createMemoryStore(base), base, { put: { baseMs: putMs }, create: { baseMs: putMs } }),
    base,
  );
  const ingester = createIngesterRole({ ...base, store, queryNodes: () => [], compactor: () => undefined });
  const client = createLocalClient(IngesterService, ingester.service, base);
  const noQueryNode = () => {
    throw new Error('this bench has no query node');
  };
  const gateway = createGatewayRole(
    { ...base, ingester: () => client, queryNode: noQueryNode, anyQueryNode: noQueryNode },
    defaultGatewayConfig,
  );

  const latencies: number[] = [];
  const write = async (id: number): Promise<void> => {
    const body = utf8Encode(JSON.stringify({ upsert_rows: [{ id, vector: [id, 1, 2, 3], title: `document ${id}` }] }));
    const startedAt = performance.now();
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', path: '/v2/namespaces/bench', query: '', headers, body };
    const answer = await gateway.handle(request, new AbortController().signal);
    if (answer.status !== 200)
      throw new Error(`write answered ${answer.status}: ${new TextDecoder().decode(answer.body)}`);
    latencies.push(performance.now() - startedAt);
  };

  await write(0); // births the namespace
  latencies.length = 0;
  store.reset();
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: writerCount }, async (_, writer) => {
      for (let i = 0; i < writesPerWriter; i++) await write(1 + writer * writesPerWriter + i);
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const writes = writerCount * writesPerWriter;
  const requests = store.snapshot();
  process.stdout.write(
    `group commit, ${writerCount} writers of single rows, PUT modelled at ${putMs} ms\n` +
      `  ${(writes / seconds).toFixed(0)} writes/s, ${(writes / seconds / (1000 / putMs)).toFixed(1)}× one PUT after the other\n` +
      `  ${writes} writes in ${requests.create} log entries; p50 ${quantile(latencies, 0.5).toFixed(0)} ms, p99 ${quantile(latencies, 0.99).toFixed(0)} ms\n`,
  );
  await gateway.close();
  await ingester.close();
}

await main();
