/**
 * Exact kNN over all GloVe rows through the HTTP gateway of one process, against LanceDB embedded without an index. The queries of both
 * alternate, so that both see the same machine. Beside it: how fast the rows came in through HTTP, and how long indexing took behind them.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadGlove, queryVector } from './glove.ts';
import { createHttpClient, untilIndexed } from './http-client.ts';
import { runLagoon, startLagoon } from './lagoon-process.ts';
import { loadLance, searchLance } from './lance.ts';
import { quantile } from './statistics.ts';
import type { Vectors } from './vectors.ts';

const k = 10;
const queryCount = 200;
const warmUpCount = 20;

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
  const table = await loadLance(glove, join(folder, 'lance'));
  await using lagoon = await startLagoon(join(folder, 'data'));
  const importedAt = performance.now();
  await runLagoon([
    'import',
    '--url',
    lagoon.url,
    '--source',
    'glove',
    '--namespace',
    'glove',
    '--state',
    join(folder, 'import.json'),
  ]);
  const importSeconds = (performance.now() - importedAt) / 1000;
  print(
    `import of ${glove.rowCount} × ${glove.dims} through HTTP: ${Math.round(glove.rowCount / importSeconds)} rows/s, process start included`,
  );

  using client = createHttpClient(lagoon.url, 1);
  const indexSeconds = await untilIndexed(client, 'glove', 120);
  print(`index lag zero ${indexSeconds.toFixed(1)} s after the last write`);

  const ours: number[] = [];
  const theirs: number[] = [];
  let overlap = 0;
  for (let i = 0; i < queryCount + warmUpCount; i++) {
    const query = queryVector(glove, i, 0.05);
    const body = JSON.stringify({ rank_by: ['vector', 'kNN', Buffer.from(query.buffer).toString('base64')], limit: k });
    const startedAt = performance.now();
    const answer = (await client.post('/v2/namespaces/glove/query', body)) as { rows: { id: number }[] };
    const betweenAt = performance.now();
    const rows = await searchLance(table, query, { k });
    const endedAt = performance.now();
    if (i < warmUpCount) continue;
    ours.push(betweenAt - startedAt);
    theirs.push(endedAt - betweenAt);
    const found = new Set(answer.rows.map((row) => row.id));
    overlap += rows.filter((id) => found.has(id)).length;
  }
  const [p50, lanceP50] = [quantile(ours, 0.5), quantile(theirs, 0.5)];
  print(
    `exact kNN, k = ${k}, cosine, ${glove.rowCount} × ${glove.dims}, strong consistency, one client, ${queryCount} queries of each in turn`,
  );
  print(`  Lagoon through HTTP   p50 ${p50.toFixed(1)} ms   p99 ${quantile(ours, 0.99).toFixed(1)} ms`);
  print(`  LanceDB embedded      p50 ${lanceP50.toFixed(1)} ms   p99 ${quantile(theirs, 0.99).toFixed(1)} ms`);
  print(
    `  ratio                 ${(p50 / lanceP50).toFixed(3)}×   same rows found ${((100 * overlap) / (queryCount * k)).toFixed(2)} %`,
  );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
