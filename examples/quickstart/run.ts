/**
 * What `make run` does: start every role in one process on a local directory, load a real sample once, show a few searches, keep
 * serving until it is told to stop. Settings come from the environment: DATA, PORT, GRPC_PORT.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const lagoon = join(root, 'bin/lagoon');
const dataDir = resolve(root, process.env.DATA ?? '.lagoon/data');
const port = process.env.PORT ?? '8080';
const grpcPort = process.env.GRPC_PORT ?? '8081';
const url = `http://127.0.0.1:${port}`;

/** Data set, its namespace here, and how many of its documents the sample takes. */
const samples = [
  { source: 'wordnet', namespace: 'wordnet', limit: '117791', title: 'WordNet glosses: text and attributes' },
  { source: 'glove', namespace: 'glove', limit: '20000', title: 'GloVe words: 100-dimensional vectors' },
];

interface Row {
  readonly id: string | number;
  readonly $dist?: number;
  readonly [attribute: string]: unknown;
}

async function main(): Promise<number> {
  const server = startServer();
  const stopped = new Promise<number>((done) => server.on('exit', (code) => done(code ?? 1)));
  if (!(await isReady(server))) return stopped;
  try {
    for (const sample of samples) await load(sample);
    await showSearches();
  } catch (error) {
    process.stderr.write(`quickstart: ${error instanceof Error ? error.message : String(error)}\n`);
    server.kill('SIGTERM');
    await stopped;
    return 1;
  }
  process.stdout.write(`
Serving on ${url} (HTTP) and 127.0.0.1:${grpcPort} (gRPC). The data lies in ${relative(process.cwd(), dataDir) || dataDir}.
Try:

  curl -s ${url}/v2/namespaces/wordnet/query -H 'content-type: application/json' \\
    -d '{"rank_by":["gloss","BM25","small furry animal"],"filters":["pos","Eq","noun"],"limit":3,"include_attributes":["word","gloss"]}'

Ctrl-C stops it; the next \`make run\` starts on the same data.
`);
  return stopped;
}

function startServer(): ChildProcess {
  const server = spawn(
    lagoon,
    [
      'serve',
      '--data-dir',
      dataDir,
      '--http-port',
      port,
      '--grpc-port',
      grpcPort,
      '--roles',
      'all',
      '--log-level',
      'warn',
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => server.kill(signal));
  return server;
}

async function isReady(server: ChildProcess): Promise<boolean> {
  for (let attempt = 0; attempt < 300 && server.exitCode === null; attempt++) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) return server.exitCode === null;
    await new Promise((done) => setTimeout(done, 100));
  }
  return false;
}

async function load(sample: (typeof samples)[number]): Promise<void> {
  process.stdout.write(`\n${sample.title}\n`);
  const state = join(dataDir, '..', 'import', `${sample.namespace}.json`);
  const args = [
    'import',
    '--source',
    sample.source,
    '--namespace',
    sample.namespace,
    '--limit',
    sample.limit,
    '--url',
    url,
    '--state',
    state,
  ];
  const code = await new Promise<number | null>((done) => spawn(lagoon, args, { stdio: 'inherit' }).on('exit', done));
  if (code !== 0) throw new Error(`loading ${sample.source} failed`);
}

async function query(namespace: string, body: unknown): Promise<Row[]> {
  const answer = await fetch(`${url}/v2/namespaces/${namespace}/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const parsed = (await answer.json()) as { rows?: Row[]; error?: string };
  if (parsed.rows === undefined) throw new Error(`query refused: ${parsed.error}`);
  return parsed.rows;
}

async function showSearches(): Promise<void> {
  await showText('small furry animal', ['pos', 'Eq', 'noun']);
  await showText('move quickly on foot', ['domain', 'Eq', 'verb.motion']);
  for (const word of ['piano', 'lagoon']) await showNeighbours(word);
}

async function showText(text: string, filters: unknown): Promise<void> {
  const rows = await query('wordnet', {
    rank_by: ['gloss', 'BM25', text],
    filters,
    limit: 4,
    include_attributes: ['word', 'gloss'],
  });
  process.stdout.write(`\n"${text}", ${JSON.stringify(filters)}\n`);
  for (const row of rows)
    process.stdout.write(
      `  ${(row.$dist ?? 0).toFixed(2).padStart(6)}  ${String(row.word).padEnd(20)} ${String(row.gloss).slice(0, 80)}\n`,
    );
}

async function showNeighbours(word: string): Promise<void> {
  const [found] = await query('glove', {
    rank_by: ['id', 'asc'],
    filters: ['word', 'Eq', word],
    limit: 1,
    include_attributes: ['vector'],
  });
  if (found === undefined) return;
  const rows = await query('glove', {
    rank_by: ['vector', 'ANN', found.vector],
    limit: 6,
    include_attributes: ['word'],
  });
  process.stdout.write(`\nnearest to "${word}"\n`);
  for (const row of rows.slice(1))
    process.stdout.write(`  ${(row.$dist ?? 0).toFixed(3).padStart(6)}  ${String(row.word)}\n`);
}

process.exitCode = await main();
