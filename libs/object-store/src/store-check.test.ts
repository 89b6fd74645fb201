import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createSystemClock, createSystemRandom } from '@lagoon/base';
import { faultInjecting } from './fault-injecting.ts';
import { createMemoryStore } from './memory.ts';
import type { ObjectStore } from './object-store.ts';
import { openStore } from './open-store.ts';
import { type StoreCheckForm, storeCheck } from './store-check.ts';
import { liars } from './testing/liars.ts';
import { startTestS3, type TestS3 } from './testing/test-s3.ts';

const clock = createSystemClock();
const random = createSystemRandom();
const deps = { clock, random };
let folder: string;
let s3: TestS3;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lagoon-check-'));
  s3 = await startTestS3();
}, 600_000);
afterAll(async () => {
  jest.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
  await s3?.stop();
});

async function failuresOf(stores: readonly ObjectStore[], form: StoreCheckForm): Promise<string[]> {
  const report = await storeCheck(stores, deps, { form });
  const failures = report.checks.filter((check) => !check.passed).map((check) => `${check.name}: ${check.detail}`);
  expect(report.passed).toBe(failures.length === 0);
  return failures;
}

describe('store check', () => {
  test('passes memory, filesystem and S3, and leaves nothing behind', async () => {
    const memory = createMemoryStore({ clock });
    const bucket = await s3.createBucket();
    const openBucket = () => openStore(`s3://${bucket}`, deps, { s3: { endpoint: s3.endpoint, credentials: s3 } });
    const cases: Array<readonly [StoreCheckForm, readonly ObjectStore[]]> = [
      ['full', [memory, memory]],
      ['short', [await openStore(folder, deps), await openStore(folder, deps)]],
      ['short', [await openBucket(), await openBucket(), await openBucket()]],
    ];
    for (const [form, stores] of cases) {
      expect(await failuresOf(stores, form)).toEqual([]);
      expect((await stores[0]?.list({ prefix: '' }))?.objects).toEqual([]);
      for (const store of stores) await store.close();
    }
  }, 60_000);

  test('refuses a real server that ignores conditional writes', async () => {
    const { default: S3rver } = await import('s3rver');
    jest.spyOn(console, 'error').mockImplementation(() => {}); // its logger complains of being silenced, also later
    const bucket = 'lying';
    const server = new S3rver({
      port: 0,
      silent: true,
      directory: join(folder, 's3rver'),
      configureBuckets: [{ name: bucket, configs: [] }],
    });
    const { port } = await server.run();
    try {
      const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
      const store = await openStore(`s3://${bucket}`, deps, {
        s3: { endpoint: `http://127.0.0.1:${port}`, credentials },
      });
      const failures = await failuresOf([store], 'short');
      expect(failures.join()).toContain('create of a key was answered "created" instead of "exists"');
      expect(failures.join()).toContain('creators of one key were told that they had won');
      await store.close();
    } finally {
      await server.close();
    }
  });

  test.each(Object.keys(liars))('refuses a store that %s, in both forms', async (name) => {
    for (const form of ['short', 'full'] as const) {
      const lying = liars[name]?.(createMemoryStore({ clock }));
      if (lying === undefined) throw new Error('no such liar');
      const failures = await failuresOf([lying], form);
      expect([name, failures]).not.toEqual([name, []]);
    }
  });

  test('unclear answers to creates are no lie', async () => {
    const store = faultInjecting(createMemoryStore({ clock }), deps, { createConflict: 0.3 });
    expect(await failuresOf([store], 'short')).toEqual([]);
    expect(store.counts().createConflict).toBeGreaterThan(0);
  });

  test('a store that cannot be reached fails every check, and an abort ends it', async () => {
    const store = await openStore('s3://nowhere', deps, { s3: { endpoint: 'http://127.0.0.1:1', credentials: s3 } });
    expect(await failuresOf([store], 'short')).toHaveLength(7);
    const reason = new Error('stop');
    await expect(storeCheck([store], deps, {}, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
