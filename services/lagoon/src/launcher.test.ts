import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

const launcher = fileURLToPath(new URL('../../../bin/lagoon', import.meta.url));
const environment = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' };
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lagoon-launcher-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

function run(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync(launcher, argv, { encoding: 'utf8', env: environment });
  return { status, stdout, stderr };
}

/** Resolves with the ready line's fields; the process goes on. */
async function untilReady(child: ChildProcess): Promise<{ readonly http: string; readonly startMs: number }> {
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    const line = text.split('\n').find((candidate) => candidate.includes('"msg":"ready"'));
    if (line !== undefined) return JSON.parse(line);
  }
  throw new Error(`never ready: ${text}`);
}

describe('bin/lagoon', () => {
  test('runs through a symlink from anywhere, and is quiet', async () => {
    const link = join(directory, 'lagoon');
    await symlink(launcher, link);
    const { status, stdout, stderr } = spawnSync(link, ['version'], {
      encoding: 'utf8',
      env: environment,
      cwd: directory,
    });
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^lagoon \d+\.\d+\.\d+\n$/),
      stderr: '',
    });
  });

  test('help names the commands, and every flag of serve with its variable', () => {
    expect(run('--help')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/serve[\s\S]*store-check[\s\S]*version/),
    });
    const { stdout } = run('serve', '--help');
    for (const word of ['--data-dir', 'LAGOON_DATA_DIR', 'Storage:', 'Examples:', 'Default 8080', '--config']) {
      expect(stdout).toContain(word);
    }
  });

  test.each([
    [['serv'], "lagoon: unknown command 'serv'; did you mean serve?\n"],
    [['serve', '--http-prot', '1'], "lagoon: unknown option '--http-prot'; did you mean --http-port?\n"],
    [['serve', '--data-dir', 'd', '--roles', 'gatway'], /^lagoon: unknown role gatway; did you mean gateway\?.*\n$/],
    [['serve'], /^lagoon: where is the data\?.*\n$/],
    [['serve', '--config', '/no/such/file'], /^lagoon: config file \/no\/such\/file cannot be read: ENOENT.*\n$/],
  ])('%j is one line on stderr and exit code 2', (argv, message) => {
    const { status, stdout, stderr } = run(...argv);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    if (typeof message === 'string') expect(stderr).toBe(message);
    else expect(stderr).toMatch(message);
  });

  test('store-check certifies a directory', () => {
    const { status, stdout } = run('store-check', '--short', join(directory, 'store'));
    expect(status).toBe(0);
    expect(stdout).toContain('keeps its word');
  });

  test('serve is ready, stops on SIGTERM with 0, and says when a port is taken', async () => {
    const data = join(directory, 'data');
    const argv = ['serve', '--data-dir', data, '--http-port', '0', '--grpc-port', '0'];
    const child = spawn(launcher, argv, { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
    const { http } = await untilReady(child);
    const taken = run('serve', '--data-dir', data, '--http-port', http.split(':')[1] ?? '');
    expect(taken).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^lagoon: port is taken \(host=127.0.0.1, port=\d+\)\n$/),
    });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
