import { type ChildProcess, spawn } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readWordnet, wordnetRowCount } from '@lagoon/server/datasets';
import { type LagoonProcess, startLagoon } from '../support/lagoon-process.ts';
import { waitUntil } from '../support/wait-until.ts';

const launcher = fileURLToPath(new URL('../../bin/lagoon', import.meta.url));
let folder: string;
let lagoon: LagoonProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lagoon-import-'));
  lagoon = await startLagoon({ 'data-dir': join(folder, 'data') });
}, 60_000);

afterAll(async () => {
  await lagoon?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** `lagoon import` with the namespace's own state file. */
function beginImport(
  namespace: string,
  args: readonly string[],
): { readonly child: ChildProcess; readonly ended: Promise<Ended> } {
  const child = spawn(launcher, [
    'import',
    '--url',
    lagoon.url,
    '--namespace',
    namespace,
    '--state',
    stateOf(namespace),
    ...args,
  ]);
  let output = '';
  const collect = (chunk: unknown) => {
    output += String(chunk);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  return { child, ended: new Promise((resolve) => child.on('close', (code) => resolve({ code, output }))) };
}

const runImport = (namespace: string, args: readonly string[]): Promise<Ended> => beginImport(namespace, args).ended;

const stateOf = (namespace: string): string => join(folder, `${namespace}.state.json`);

async function durableRowCount(namespace: string): Promise<number> {
  const text = await readFile(stateOf(namespace), 'utf8').catch(() => '{"rowCount":0}');
  return (JSON.parse(text) as { rowCount: number }).rowCount;
}

async function query(namespace: string, body: unknown): Promise<Record<string, unknown>[]> {
  const answer = await fetch(`${lagoon.url}/v2/namespaces/${namespace}/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const parsed = (await answer.json()) as { rows?: Record<string, unknown>[]; error?: string };
  if (parsed.rows === undefined) throw new Error(parsed.error);
  return parsed.rows;
}

const ids = async (namespace: string): Promise<unknown[]> =>
  (await query(namespace, { rank_by: ['id', 'asc'], limit: 10_000 })).map((row) => row.id);

describe('lagoon import', () => {
  test('JSON lines arrive as they are, u64 ids and blank lines included', async () => {
    const file = join(folder, 'some.jsonl');
    await writeFile(
      file,
      '{"id": 18446744073709551615, "title": "größe", "n": 0.1}\n\n{"id": 1, "title": "b", "n": 2.5}',
    );
    const ended = await runImport('lines', [file]);
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.output).toContain('2 documents brought');
    const answer = await fetch(`${lagoon.url}/v2/namespaces/lines/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"rank_by":["id","asc"],"limit":5,"include_attributes":true}',
    });
    const text = await answer.text();
    expect(text).toContain('18446744073709551615');
    expect(text).toContain('größe');
  });

  test('one that is killed goes on where it was, and in the end every document is there once', async () => {
    const file = join(folder, 'many.jsonl');
    const rowCount = 6_000;
    const lines = Array.from({ length: rowCount }, (_, id) => JSON.stringify({ id, title: `document ${id}` }));
    await writeFile(file, `${lines.join('\n')}\n`);
    const begun = beginImport('many', ['--batch-rows', '2', '--concurrency', '1', file]);
    await waitUntil('some of it is durable', 30_000, async () => (await durableRowCount('many')) > 0);
    begun.child.kill('SIGKILL');
    await begun.ended;
    expect(await durableRowCount('many')).toBeLessThan(rowCount);
    const second = await runImport('many', ['--batch-rows', '500', file]);
    expect(second).toMatchObject({ code: 0 });
    expect(second.output).toContain('were there from an earlier run');
    expect(await ids('many')).toEqual(Array.from({ length: rowCount }, (_, id) => id));
    const third = await runImport('many', [file]);
    expect(third.output).toContain('many: 0 documents brought');
  }, 120_000);

  test('documents that the server refuses end it with what was wrong and where', async () => {
    const file = join(folder, 'bad.jsonl');
    await writeFile(file, '{"id": 1, "vector": [1, 2]}\n');
    await runImport('bad', [file]);
    await appendFile(file, '{"id": 2, "vector": [1, 2, 3]}\n');
    const ended = await runImport('bad', [file]);
    expect(ended.code).not.toBe(0);
    expect(ended.output).toMatch(/documents were refused: .*vector/);
    expect(await ids('bad')).toEqual([1]);
  });

  test.each([
    [['--source', 'glove2'], 'there is no "glove2"'],
    [[], 'give the file'],
    [['/no/such/file.jsonl'], 'cannot be read'],
    [['--batch-rows', '0', 'x'], '--batch-rows'],
    [['--schema', '{', 'x'], '--schema: not JSON'],
  ])('a wrong command line %j is one line that says so', async (args, message) => {
    const ended = await runImport('wrong', args);
    expect(ended.code).toBe(2);
    expect(ended.output).toContain(message);
    expect(ended.output.trim().split('\n')).toHaveLength(1);
  });

  test('the WordNet glosses are all there and can be searched', async () => {
    expect(await readWordnet()).toHaveLength(wordnetRowCount);
    const ended = await runImport('wordnet', ['--source', 'wordnet', '--limit', '5000']);
    expect(ended).toMatchObject({ code: 0 });
    const [best] = await query('wordnet', {
      rank_by: ['gloss', 'BM25', 'distinct existence living or nonliving'],
      filters: ['domain', 'Eq', 'noun.Tops'],
      limit: 1,
      include_attributes: ['word'],
    });
    expect(best).toMatchObject({ word: 'entity' });
  });

  test('GloVe words find their neighbours', async () => {
    await runImport('glove', ['--source', 'glove', '--limit', '5000']);
    const [piano] = await query('glove', {
      rank_by: ['id', 'asc'],
      filters: ['word', 'Eq', 'piano'],
      limit: 1,
      include_attributes: ['vector'],
    });
    const rows = await query('glove', {
      rank_by: ['vector', 'ANN', piano?.vector],
      limit: 4,
      include_attributes: ['word'],
    });
    expect(rows[0]).toMatchObject({ id: piano?.id });
    expect(rows.slice(1).map((row) => row.word)).toContain('orchestra');
  });
});
