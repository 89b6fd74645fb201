/**
 * ANN over all GloVe rows through the HTTP gateway of one process: recall against exact kNN and p50 for several recall targets, against LanceDB
 * embedded with IVF_FLAT at several nprobes. The queries of both alternate, so that both see the same machine.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, Index, type Table } from '@lancedb/lancedb';
import { loadGlove, queryVector } from './glove.ts';
import { createHttpClient, type HttpClient, untilIndexed } from './http-client.ts';
import { runLagoon, startLagoon } from './lagoon-process.ts';
import { quantile } from './statistics.ts';
import type { Vectors } from './vectors.ts';

const k = 10;
const queryCount = 300;
const warmUpCount = 20;
const recalls = [0.8, 0.9, 0.95, 0.98, 0.99];
const probeCounts = [20, 40, 60, 80, 120];

async function main(): Promise<void> {
  const glove = await loadGlove();
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-bench-'));
  try {
    await measure(glove, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(glove: Vectors, folder: string): Promise<void> {
  await using lagoon = await startLagoon(join(folder, 'data'));
  const source = ['--source', 'glove', '--namespace', 'glove', '--state', join(folder, 'import.json')];
  await runLagoon(['import', '--url', lagoon.url, ...source]);
  using client = createHttpClient(lagoon.url, 8);
  print(`index lag zero ${(await untilIndexed(client, 'glove', 300)).toFixed(1)} s after the last write`);
  const startedAt = performance.now();
  const table = await loadLance(glove, join(folder, 'lance'));
  print(`LanceDB written and indexed in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);

  const queries = Array.from({ length: queryCount + warmUpCount }, (_, i) => queryVector(glove, i, 0.3));
  const truth: Set<number>[] = [];
  for (const query of queries) truth.push(new Set(await ask(client, query, 'kNN')));
  print(
    `ANN, k = ${k}, cosine, ${glove.rowCount} × ${glove.dims}, strong consistency, one client, ${queryCount} queries`,
  );
  for (let step = 0; step < recalls.length; step++) {
    const recall = recalls[step] as number;
    const nprobes = probeCounts[step] as number;
    const [ours, theirs] = [counter(), counter()];
    for (const [i, query] of queries.entries()) {
      const sentAt = performance.now();
      const found = await ask(client, query, 'ANN', recall);
      const betweenAt = performance.now();
      const rows = await lanceRows(table, query, nprobes);
      const endedAt = performance.now();
      if (i < warmUpCount) continue;
      ours.add(betweenAt - sentAt, found, truth[i] as Set<number>);
      theirs.add(endedAt - betweenAt, rows, truth[i] as Set<number>);
    }
    print(
      `  Lagoon through HTTP, recall ${recall}   ${ours.text()}   LanceDB embedded, nprobes ${nprobes}   ${theirs.text()}`,
    );
  }
  await throughput(client, queries);
  const body = { rank_by: ['vector', 'ANN', base64(queries[0] as Float32Array)], limit: k };
  const plan = (await client.post('/v2/namespaces/glove/explain_query', JSON.stringify(body))) as { plan_text: string };
  print(plan.plan_text);
}

async function throughput(client: HttpClient, queries: readonly Float32Array[]): Promise<void> {
  const startedAt = performance.now();
  let next = 0;
  const run = async (): Promise<void> => {
    for (let i = next++; i < 4 * queryCount; i = next++) {
      await ask(client, queries[i % queries.length] as Float32Array, 'ANN', 0.95);
    }
  };
  await Promise.all(Array.from({ length: 8 }, run));
  const seconds = (performance.now() - startedAt) / 1000;
  print(`  8 clients at recall 0.95: ${Math.round((4 * queryCount) / seconds)} queries/s`);
}

function counter() {
  const timesMs: number[] = [];
  let found = 0;
  return {
    add: (durationMs: number, ids: readonly number[], truth: ReadonlySet<number>): void => {
      timesMs.push(durationMs);
      found += ids.filter((id) => truth.has(id)).length;
    },
    text: (): string =>
      `recall ${(found / (k * timesMs.length)).toFixed(3)}  p50 ${quantile(timesMs, 0.5).toFixed(2)} ms  p99 ${quantile(timesMs, 0.99).toFixed(2)} ms`,
  };
}

async function ask(client: HttpClient, query: Float32Array, kind: 'ANN' | 'kNN', recall?: number): Promise<number[]> {
  const body = { rank_by: ['vector', kind, base64(query)], limit: k, ...(recall === undefined ? {} : { recall }) };
  const answer = (await client.post('/v2/namespaces/glove/query', JSON.stringify(body))) as { rows: { id: number }[] };
  return answer.rows.map(({ id }) => id);
}

async function lanceRows(table: Table, query: Float32Array, nprobes: number): Promise<number[]> {
  const search = table.query().nearestTo(query).distanceType('cosine').nprobes(nprobes).limit(k);
  const rows = await search.select(['id', '_distance']).toArray();
  return rows.map((row: { id: number }) => Number(row.id));
}

async function loadLance(glove: Vectors, path: string): Promise<Table> {
  const database = await connect(path);
  const rowsPerCall = 20_000;
  const rows = (start: number) =>
    Array.from({ length: Math.min(rowsPerCall, glove.rowCount - start) }, (_, i) => ({
      id: start + i,
      vector: Array.from(glove.values.subarray((start + i) * glove.dims, (start + i + 1) * glove.dims)),
    }));
  const table = await database.createTable('glove', rows(0));
  for (let start = rowsPerCall; start < glove.rowCount; start += rowsPerCall) await table.add(rows(start));
  await table.createIndex('vector', { config: Index.ivfFlat({ distanceType: 'cosine', numPartitions: 1_024 }) });
  await table.optimize();
  return table;
}

function base64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
