import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createSystemClock, createSystemRandom, noMetrics, sha256, silentLog } from '@lagoon/base';
import { applyIndexEdit, catalogKey, createManifestCommitter, createNamespaceLog, headKey } from '@lagoon/namespace';
import { type ObjectStore, openStore } from '@lagoon/object-store';
import { startTestS3, type TestS3 } from '../../libs/object-store/src/testing/test-s3.ts';

const launcher = fileURLToPath(new URL('../../bin/lagoon', import.meta.url));
const clock = createSystemClock();
const random = createSystemRandom();

/** A store of the test's own, and the flags by which a command finds it. */
interface Target {
  readonly store: ObjectStore;
  readonly url: string;
  readonly flags: readonly string[];
  readonly s3Flags: readonly string[];
}

let directory: string;
let s3: TestS3;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lagoon-commands-'));
  s3 = await startTestS3();
}, 300_000);

afterAll(async () => {
  for (const store of stores) await store.close();
  await s3?.stop();
  await rm(directory, { recursive: true, force: true });
});

let targetCount = 0;
const stores: ObjectStore[] = [];

async function openTarget(kind: string): Promise<Target> {
  if (kind === 'directory') {
    const url = join(directory, `store-${targetCount++}`);
    const store = await openStore(url, { clock, random });
    stores.push(store);
    return { store, url, flags: ['--data-dir', url], s3Flags: [] };
  }
  const { endpoint, accessKeyId, secretAccessKey } = s3;
  const url = `s3://${await s3.createBucket()}`;
  const options = { endpoint, region: 'us-east-1', pathStyle: true, credentials: { accessKeyId, secretAccessKey } };
  const s3Flags = ['--s3-endpoint', endpoint, '--s3-path-style', 'true'];
  s3Flags.push('--s3-access-key-id', accessKeyId, '--s3-secret-access-key', secretAccessKey);
  const store = await openStore(url, { clock, random }, { s3: options });
  stores.push(store);
  return { store, url, flags: ['--object-store', url, ...s3Flags], s3Flags };
}

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Not synchronously: the S3 server may be another child of this process. */
async function run(...argv: string[]): Promise<Outcome> {
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' };
  const child = spawn(launcher, argv, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { status, stdout, stderr };
}

/** A namespace with an indexed batch, whose object is no real segment, and one behind it. */
async function fill({ store }: Target, name: string): Promise<void> {
  const base = { store, clock, random, log: silentLog, metrics: noMetrics };
  const log = createNamespaceLog(base);
  const committer = createManifestCommitter(base);
  const schema = { idKind: 'u64', attributes: new Map() } as const;
  const batch = { parts: [Uint8Array.of(1)], upsertedRowCount: 1, deletedRowCount: 0, idempotency: [] };
  const { view: unborn } = await log.open(name);
  const incarnation = `${name}life`;
  const birth = { kind: 'birth', incarnation, family: incarnation, batch: { ...batch, schema } } as const;
  const { view } = await log.append(unborn, () => birth);
  const { live } = view;
  if (live === undefined) throw new Error('not born');
  const bytes = Uint8Array.of(1, 2, 3);
  const key = `data/${incarnation}/${incarnation}/job1-0.seg`;
  await store.create(key, bytes);
  const edited = applyIndexEdit(live.manifest, {
    indexedThrough: 1,
    schema,
    settings: live.settings,
    segmentsAdded: [
      {
        object: { key, size: 3, sha256: sha256(bytes) },
        rowCount: 1,
        liveRowCount: 1,
        logicalBytes: 8,
        deleteVector: undefined,
        generationFirst: 1,
        generationLast: 1,
      },
    ],
    deleted: new Map(),
    rows: { added: 1, superseded: 0, deleted: 0 },
    lastWriteAtMs: 1,
  });
  const prepared = await committer.prepare(view, edited, { job: 'job1', startedAtMs: log.storeTimeMs() });
  const { view: after } = await committer.append(log, view, prepared);
  await log.writeHint(after);
  await log.append(after, () => ({ kind: 'batch', ...batch }));
}

/** S3 tells its own time in whole seconds: what was written in this one is not of any age yet. */
async function untilPast({ store }: Target): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const { objects, storeTimeMs } = await store.list({ prefix: 'ns/' });
    if (storeTimeMs === undefined || objects.every(({ lastModifiedMs }) => lastModifiedMs <= storeTimeMs)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the store stands still');
}

async function keysOf({ store }: Target, prefix = ''): Promise<string[]> {
  return (await store.list({ prefix })).objects.map(({ key }) => key);
}

describe.each(['directory', 's3'])('on a store of kind %s', (kind) => {
  test('store-check certifies it and leaves nothing behind', async () => {
    const target = await openTarget(kind);
    const { status, stdout } = await run('store-check', '--short', target.url, ...target.s3Flags);
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('keeps its word') });
    expect(await keysOf(target)).toEqual([]);
  }, 60_000);

  test('fsck finds nothing wrong, and leaves foreign files alone', async () => {
    const target = await openTarget(kind);
    await fill(target, 'docs');
    await target.store.put('ns/docs/log/readme.txt', Uint8Array.of(1));
    await target.store.put('data/notes', Uint8Array.of(1));
    const { status, stdout } = await run('fsck', ...target.flags);
    expect({ status, stdout }).toMatchObject({ status: 0, stdout: expect.stringContaining('0 problems, 2 orphans') });
    expect(stdout).toContain("not Lagoon's: left alone");
  }, 60_000);

  test('fsck --repair writes hints, markers and a lost manifest again, and verifies', async () => {
    const target = await openTarget(kind);
    await fill(target, 'docs');
    await fill(target, 'more');
    const [body = ''] = await keysOf(target, 'ns/docs/body/');
    await target.store.delete([body, catalogKey('more', 'morelife'), headKey('more')]);
    const before = await run('fsck', ...target.flags);
    expect(before).toMatchObject({ status: 1, stdout: expect.stringContaining(`PROBLEM  ${body}: is missing`) });
    const { status, stdout, stderr } = await run('fsck', '--repair', ...target.flags);
    expect({ status, stdout, stderr }).toMatchObject({ status: 0, stdout: expect.stringContaining('0 problems') });
    expect(stdout).toContain('as its hint has it');
    expect(await keysOf(target)).toEqual(
      expect.arrayContaining([body, catalogKey('more', 'morelife'), headKey('more')]),
    );
  }, 60_000);

  test('fsck --repair refuses loudly what cannot be proven', async () => {
    const target = await openTarget(kind);
    await fill(target, 'docs');
    const bodies = await keysOf(target, 'ns/docs/body/');
    const first = (await keysOf(target, 'ns/docs/log/'))[0] ?? '';
    await target.store.delete([...bodies, first, headKey('docs')]);
    const before = await keysOf(target);
    const { status, stderr } = await run('fsck', '--repair', ...target.flags);
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringContaining('docs cannot be repaired') });
    expect(await keysOf(target)).toEqual(before);
  }, 60_000);

  test('gc says what is garbage and why not yet, raises the floor, and deletes nothing at its first pass', async () => {
    const target = await openTarget(kind);
    await fill(target, 'docs');
    await untilPast(target);
    const before = await keysOf(target);
    const dry = await run('gc', '--dry-run', '--gc-retention-ms', '0', ...target.flags);
    expect(dry).toMatchObject({ status: 0, stdout: expect.stringContaining('floors to raise: 1') });
    expect(await keysOf(target)).toEqual(before);
    const once = await run('gc', '--once', '--gc-retention-ms', '0', ...target.flags);
    expect(once).toMatchObject({ status: 0, stdout: expect.stringContaining('floors raised: 1') });
    expect((await keysOf(target)).filter((key) => !before.includes(key))).toEqual([
      'ns/docs/floor/00000000000000000001',
    ]);
    const [body = ''] = await keysOf(target, 'ns/docs/body/');
    const bytes = (await target.store.get(body))?.bytes ?? new Uint8Array(0);
    await target.store.put(body, bytes.with(0, (bytes[0] ?? 0) ^ 255));
    const damaged = await run('gc', '--once', ...target.flags);
    expect(damaged).toMatchObject({ status: 1, stdout: expect.stringContaining('left alone') });
  }, 60_000);
});

test('commands on a store that is not there say so in one line', () => {
  const argv = ['fsck', '--object-store', 's3://nowhere', '--s3-endpoint', 'http://127.0.0.1:1'];
  argv.push('--s3-access-key-id', 'x', '--s3-secret-access-key', 'y');
  const { status, stderr } = spawnSync(launcher, argv, { encoding: 'utf8', env: { PATH: process.env.PATH ?? '' } });
  expect(status).toBe(1);
  expect(stderr.trim().split('\n').at(-1)).toMatch(/^lagoon: /);
}, 60_000);
