import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { send } from '../support/http.ts';
import { beginLagoon, type LagoonProcess, startLagoon } from '../support/lagoon-process.ts';
import { lockFolder } from '../support/lock-folder.ts';
import { field, idsOf, stateOf } from '../support/namespace-state.ts';
import { printingLogs } from '../support/printing-logs.ts';
import { diskBytes, openSmallDisk, type SmallDisk } from '../support/small-disk.ts';

/** Disks and ports that cannot be had. */
let folder: string;
let server: LagoonProcess | undefined;
let disk: SmallDisk | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lagoon-e2e-'));
});

afterEach(async () => {
  await server?.close();
  await disk?.close();
  server = undefined;
  disk = undefined;
  await rm(folder, { recursive: true, force: true });
});

const write = (url: string, namespace: string, ids: readonly number[], text = 'x') =>
  send(url, 'POST', `/v2/namespaces/${namespace}`, {
    body: { upsert_rows: ids.map((id) => ({ id, text })), schema: { text: { type: 'string', filterable: false } } },
  });

const full = { status: 507, json: { status: 'error', error: expect.stringMatching(/full/) } };

describe('a full disk', () => {
  test('writes are 507 and change nothing, reads go on, and there is nothing to repair when room is made', async () => {
    const small = await openSmallDisk();
    disk = small;
    const start = () => startLagoon({ 'data-dir': small.directory }, { wrapper: small.wrapper });
    const running = await start();
    server = running;
    await printingLogs(
      () => running,
      async () => {
        const { url, pid } = running;
        expect(await write(url, 'kept', [1, 2])).toMatchObject({ status: 200 });
        const before = await stateOf(url, 'kept');
        // Three rows of 6 MB are larger than the disk.
        const large = 'y'.repeat(6_000_000);
        expect(diskBytes).toBeLessThan(3 * large.length);
        expect(await write(url, 'kept', [3, 4, 5], large)).toMatchObject(full);
        expect(await stateOf(url, 'kept')).toEqual(before);
        await small.fill?.(pid);
        if (small.fill !== undefined) {
          expect(await write(url, 'kept', [3])).toMatchObject(full);
          expect(await write(url, 'fresh', [1])).toMatchObject(full);
          expect(await send(url, 'DELETE', '/v2/namespaces/kept')).toMatchObject(full);
        }
        expect(await stateOf(url, 'kept')).toEqual(before);
        expect(await send(url, 'GET', '/healthz')).toMatchObject({ status: 200 });
        expect(await send(url, 'GET', '/readyz')).toMatchObject({ status: 200 });
        await small.free?.(pid);
        const listed = await send(url, 'GET', '/v1/namespaces');
        expect(field(listed, 'namespaces')).toEqual([{ id: 'kept' }]);
        expect(await write(url, 'kept', [4])).toMatchObject({ status: 200 });
        expect(await write(url, 'fresh', [1])).toMatchObject({ status: 200 });
        expect(await idsOf(url, 'kept')).toEqual([1, 2, 4]);
        if (small.way === 'mount')
          expect(await readdir(join(small.directory, '.tmp'))).toEqual([expect.stringMatching(/^clock-/)]);
      },
    );
    if (small.way === 'namespace') return; // what lay there went with the process
    await running.close();
    server = await start();
    expect(await idsOf(server.url, 'kept')).toEqual([1, 2, 4]);
  });
});

describe('a directory that stops being writable during work', () => {
  test('writes are 503 and change nothing, reads go on, and writes do again when it is writable again', async () => {
    const directory = join(folder, 'data');
    const running = await startLagoon({ 'data-dir': directory });
    server = running;
    const { url } = running;
    expect(await write(url, 'kept', [1, 2])).toMatchObject({ status: 200 });
    const before = await stateOf(url, 'kept');
    const unlock = await lockFolder(join(directory, '.tmp'));
    if (unlock === undefined) return;
    try {
      const refused = {
        status: 503,
        json: { status: 'error', error: expect.stringMatching(/file system does not allow/) },
      };
      expect(await write(url, 'kept', [3])).toMatchObject(refused);
      expect(await write(url, 'fresh', [1])).toMatchObject(refused);
      expect(await stateOf(url, 'kept')).toEqual(before);
      expect(await send(url, 'GET', '/healthz')).toMatchObject({ status: 200 });
    } finally {
      await unlock();
    }
    expect(await write(url, 'kept', [4])).toMatchObject({ status: 200 });
    expect(await idsOf(url, 'kept')).toEqual([1, 2, 4]);
  });
});

describe('a directory that cannot be written', () => {
  test.each([
    ['below a file', () => join(folder, 'file', 'data'), 2, /the root is not a directory/],
    ['a file itself', () => join(folder, 'file'), 2, /the root is not a directory/],
    ['where the system allows none', () => '/proc/lagoon-data', 1, /ENOENT|cannot be written/],
  ])('%s: the start ends at once, with one line that names it', async (_title, directoryOf, code, message) => {
    await writeFile(join(folder, 'file'), 'mine');
    const directory = directoryOf();
    const failed = beginLagoon({ 'data-dir': directory, 'start-timeout-ms': 500 });
    server = failed;
    expect(await failed.ended()).toBe(code);
    const lines = failed
      .logs()
      .split('\n')
      .filter((line) => line.startsWith('lagoon: '));
    expect(lines).toEqual([expect.stringMatching(message)]);
    expect(lines[0]).toContain(directory);
  });
});

describe('a port that is taken', () => {
  test('the second server ends with 1 and names the port; the first does not notice', async () => {
    const first = await startLagoon({ 'data-dir': join(folder, 'data') });
    server = first;
    expect(await write(first.url, 'kept', [1])).toMatchObject({ status: 200 });
    const httpPort = new URL(first.url).port;
    const grpcPort = first.grpcAddress.split(':')[1] ?? '';
    for (const taken of [{ 'http-port': httpPort }, { 'grpc-port': grpcPort }]) {
      const second = beginLagoon({ 'data-dir': join(folder, 'data'), ...taken });
      expect(await second.ended()).toBe(1);
      const port = Object.values(taken)[0];
      expect(second.logs()).toMatch(new RegExp(`^lagoon: port is taken \\(host=127.0.0.1, port=${port}\\)$`, 'm'));
    }
    expect(await idsOf(first.url, 'kept')).toEqual([1]);
    expect(await write(first.url, 'kept', [2])).toMatchObject({ status: 200 });
  });
});
