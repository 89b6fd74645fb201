import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, open as openFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSystemRandom, type LogFields, silentLog } from '@lagoon/base';
import { createFileSystemStore } from './filesystem.ts';
import { fileSystemError } from './fs-errors.ts';
import { describeObjectStoreContract } from './testing/contract.ts';

const random = createSystemRandom();
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lagoon-store-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const open = (root: string) => createFileSystemStore({ root: join(folder, root), random });
const bytesOf = (text: string) => new TextEncoder().encode(text);

describeObjectStoreContract('filesystem', (space) => open(space));

describe('filesystem store', () => {
  test('creators in several processes: each key has one winner, and every winner has its bytes', async () => {
    const root = join(folder, 'processes');
    const keyCount = 40;
    const program = fileURLToPath(new URL('./testing/race-process.ts', import.meta.url));
    const node = (name: string) => promisify(execFile)(process.execPath, [program, root, name, String(keyCount)]);
    const outputs = await Promise.all(['p1', 'p2', 'p3', 'p4'].map(node));
    const won = outputs.map(({ stdout }) => JSON.parse(stdout) as string[]);
    expect(won.flat().sort()).toEqual(Array.from({ length: keyCount }, (_, i) => `race/${i}`).sort());
    const store = await open('processes');
    for (const [index, keys] of won.entries()) {
      for (const key of keys) {
        const object = await store.get(key);
        expect(new TextDecoder().decode(object?.bytes)).toBe(`p${index + 1}`);
      }
    }
    await store.close();
    expect(await readdir(join(root, '.tmp'))).toEqual([]);
  });

  test('writers survive a deleter that keeps removing the folder under them', async () => {
    const store = await open('emptied');
    let writing = true;
    const deleter = (async () => {
      while (writing) await store.delete(['deep/er/other']).then(() => store.put('deep/er/other', bytesOf('x')));
    })();
    for (let i = 0; i < 50; i++) {
      expect((await store.create(`deep/er/${i}`, bytesOf('x'))).outcome).toBe('created');
      await store.delete([`deep/er/${i}`]);
    }
    writing = false;
    await deleter;
    await store.delete(['deep/er/other']);
    expect(await readdir(join(folder, 'emptied'))).toEqual(['.tmp']);
    await store.close();
  });

  test('foreign files and temporary ones are never listed', async () => {
    const store = await open('foreign');
    await store.put('ours/object', bytesOf('x'));
    const root = join(folder, 'foreign');
    for (const name of [
      'README',
      'Upper.obj',
      '.hidden.obj',
      '.tmp/left.obj',
      '%zz.obj',
      'ours/lost+found',
      'ours/%41%.obj',
    ]) {
      await writeFile(join(root, name), 'foreign');
    }
    await mkdir(join(root, 'ours', 'Folder'));
    expect((await store.list({ prefix: '' })).objects.map((object) => object.key)).toEqual(['ours/object']);
    await store.close();
  });

  test('opening removes temporary files that are hours old, and only those', async () => {
    const temporary = join(folder, 'old', '.tmp');
    await mkdir(temporary, { recursive: true });
    await writeFile(join(temporary, 'old'), 'x');
    await writeFile(join(temporary, 'new'), 'x');
    await utimes(join(temporary, 'old'), new Date(0), new Date(0));
    const store = await open('old');
    await store.close();
    expect(await readdir(temporary)).toEqual(['new']);
  });

  test('a root that is a file is invalid_argument', async () => {
    await writeFile(join(folder, 'file'), 'x');
    await expect(open('file')).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(open('file/below')).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  test('a root that cannot be written is permission_denied with its path', async () => {
    const root = process.getuid?.() === 0 ? '/sys/lagoon' : join(folder, 'locked'); // nobody may write below /sys
    if (process.getuid?.() !== 0) {
      await mkdir(root);
      await chmod(root, 0o500);
    }
    const failure = createFileSystemStore({ root, random });
    await expect(failure).rejects.toMatchObject({ code: 'permission_denied', context: { root } });
    await expect(createFileSystemStore({ root: '/proc/lagoon', random })).rejects.toThrow(); // and no waiting for ever
  });

  test('failures of the system become the code that tells what to do', () => {
    const codeOf = (code: string) =>
      fileSystemError(Object.assign(new Error(code), { code, syscall: 'write' }), '/path');
    for (const code of ['ENOSPC', 'EDQUOT', 'EFBIG']) {
      expect(codeOf(code)).toMatchObject({ code: 'resource_exhausted', reason: 'store_full' });
    }
    for (const code of ['EACCES', 'EPERM', 'EROFS']) {
      expect(codeOf(code)).toMatchObject({ code: 'permission_denied', reason: 'store_refused' });
    }
    for (const code of ['EIO', 'EMFILE', 'ESTALE']) expect(codeOf(code)).toMatchObject({ code: 'unavailable' });
  });

  test('a write that fails before the object appears throws, applies nothing, and works again when the disk does', async () => {
    const store = await open('broken');
    const temporary = join(folder, 'broken', '.tmp');
    await rm(temporary, { recursive: true });
    await expect(store.put('key', bytesOf('x'))).rejects.toMatchObject({ code: 'unavailable' });
    await expect(store.create('key', bytesOf('x'))).rejects.toMatchObject({ code: 'unavailable' });
    expect(await store.get('key')).toBeUndefined();
    await mkdir(temporary);
    expect((await store.create('key', bytesOf('x'))).outcome).toBe('created');
    await store.close();
  });

  test('what could not be made durable is not shown until it can', async () => {
    const store = await open('unsynced');
    await store.create('deep/1', bytesOf('first'));
    const probe = await openFile(join(folder, 'unsynced', 'deep', '1.obj'));
    const handles = Object.getPrototypeOf(probe) as { sync: () => Promise<void> };
    await probe.close();
    const { sync } = handles;
    handles.sync = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO', syscall: 'fsync' }));
    try {
      expect((await store.create('deep/2', bytesOf('second'))).outcome).toBe('unknown');
      await expect(store.get('deep/2')).rejects.toMatchObject({ code: 'unavailable' });
      expect((await store.create('deep/2', bytesOf('third'))).outcome).toBe('unknown');
    } finally {
      handles.sync = sync;
    }
    expect(new TextDecoder().decode((await store.get('deep/2'))?.bytes)).toBe('second');
    expect((await store.create('deep/2', bytesOf('third'))).outcome).toBe('exists');
    await store.close();
  });

  test('without fsync it says what that means', async () => {
    const warnings: Array<LogFields | undefined> = [];
    const log = { ...silentLog, warn: (_: string, fields?: LogFields) => warnings.push(fields) };
    const store = await createFileSystemStore({ root: join(folder, 'weak'), random, log, fsync: false });
    await store.put('key', bytesOf('x'));
    expect(warnings).toEqual([{ root: join(folder, 'weak') }]);
    await store.close();
  });
});
