/**
 * What merging costs: a million small documents through gateway, ingester and compactor in one process, on a directory. Indexed as they come, and
 * once more with an index job for every 256 KiB, as under a trickle: the worst that a load of this size can do.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createSystemClock,
  createSystemRandom,
  type MetricLabels,
  type Metrics,
  silentLog,
  utf8Encode,
} from '@lagoon/base';
import { type CompactorConfig, createCompactorRole, createWorkerBuildPool } from '@lagoon/compactor';
import { createGatewayRole, defaultGatewayConfig } from '@lagoon/gateway';
import { createIngesterRole } from '@lagoon/ingester';
import { createFileSystemStore } from '@lagoon/object-store';
import { CompactorService } from '@lagoon/proto/lagoon/v1/compactor_pb.js';
import { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { createLocalClient } from '@lagoon/rpc';
import { noTracer } from '@lagoon/telemetry';

const documentCount = 1_000_000;
const writeCount = 1_000;
const quietMs = 5_000;

/** Counters by name and label, and everything that histograms were told. */
function createTally() {
  const counts = new Map<string, number>();
  const observed = new Map<string, number[]>();
  const keyOf = (name: string, labels: MetricLabels = {}) => [name, ...Object.values(labels)].join(' ');
  const metrics: Metrics = {
    counter: (name) => ({
      add: (value, labels) => void counts.set(keyOf(name, labels), (counts.get(keyOf(name, labels)) ?? 0) + value),
    }),
    gauge: () => ({ set: () => {} }),
    histogram: (name) => {
      const values: number[] = [];
      observed.set(name, values);
      return { observe: (value) => void values.push(value) };
    },
  };
  return { metrics, count: (key: string) => counts.get(key) ?? 0, values: (name: string) => observed.get(name) ?? [] };
}

async function run(title: string, config: Partial<CompactorConfig>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'lagoon-bench-'));
  const tally = createTally();
  const random = createSystemRandom();
  const base = { clock: createSystemClock(), random, log: silentLog, metrics: tally.metrics, tracer: noTracer };
  const store = await createFileSystemStore({ root: join(directory, 'data'), random, fsync: false });
  const buildPool = createWorkerBuildPool(silentLog, {
    workerCount: 2,
    scratchDirectory: join(directory, 'scratch'),
    scratchBytesMax: 8 * 2 ** 30,
  });
  const compactor = createCompactorRole(
    { ...base, store, buildPool, ingester: () => ingesterClient, queryNodes: () => [] },
    { tailAgeMs: 500, smallTailAgeMs: 500, mergeQuietMs: quietMs, ...config },
  );
  const compactorClient = createLocalClient(CompactorService, compactor.service, base);
  const ingester = createIngesterRole({ ...base, store, queryNodes: () => [], compactor: () => compactorClient });
  const ingesterClient = createLocalClient(IngesterService, ingester.service, base);
  const noQueryNode = () => {
    throw new Error('this bench has no query node');
  };
  const gateway = createGatewayRole(
    { ...base, ingester: () => ingesterClient, queryNode: noQueryNode, anyQueryNode: noQueryNode },
    defaultGatewayConfig,
  );
  compactor.start();
  const startedAt = performance.now();
  for (let write = 0; write < writeCount; write++) {
    const rows = Array.from({ length: documentCount / writeCount }, () => {
      const id = Math.floor(random.float() * 2 ** 48);
      return { id, title: `small document ${id % 99_991} of ${write}`, group: id % 97, rank: (id % 10_007) / 10_007 };
    });
    const request = {
      method: 'POST',
      path: '/v2/namespaces/bench',
      query: '',
      headers: { 'content-type': 'application/json' },
      body: utf8Encode(JSON.stringify({ upsert_rows: rows })),
    };
    const answer = await gateway.handle(request, new AbortController().signal);
    if (answer.status !== 200) throw new Error(`write answered ${answer.status}`);
  }
  const loadedAt = performance.now();
  // The rest of the tail is due half a second after the last write; what is merged because nothing is written any more, after a while without jobs.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await compactor.settled();
  await new Promise((resolve) => setTimeout(resolve, quietMs + 1_000));
  await compactor.settled();
  const doneAt = performance.now();
  const data = tally.count('lagoon_compactor_ingested_bytes_total');
  const index = tally.count('lagoon_compactor_written_bytes_total index');
  const merge = tally.count('lagoon_compactor_written_bytes_total merge');
  const segments = tally.values('lagoon_compactor_segments');
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  process.stdout.write(
    `${title}\n` +
      `  ${documentCount} documents in ${writeCount} writes: ${((loadedAt - startedAt) / 1000).toFixed(0)} s, indexed and merged ${((doneAt - loadedAt) / 1000).toFixed(0)} s later\n` +
      `  log ${mb(data)}, index jobs wrote ${mb(index)}, merges ${mb(merge)}: ${((index + merge) / data).toFixed(2)}× the log, of that rewritten ${(merge / data).toFixed(2)}×\n` +
      `  ${segments.length} index jobs, ${tally.count('lagoon_compactor_merges_total committed')} merges; segments: at most ${Math.max(...segments)}, in the end ${segments.at(-1)}\n`,
  );
  await gateway.close();
  await ingester.close();
  await compactor.close();
  await store.close();
  await rm(directory, { recursive: true });
}

await run('indexed as they come', {});
await run('an index job for every 256 KiB', { indexBytesMin: 256 << 10, jobBytesMax: 256 << 10 });
