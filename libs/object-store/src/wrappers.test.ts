import { describe, expect, test } from '@jest/globals';
import {
  type Clock,
  createSeededRandom,
  createSystemClock,
  LagoonError,
  type MetricLabels,
  noMetrics,
} from '@lagoon/base';
import { type FaultPolicy, faultInjecting, faultNames } from './fault-injecting.ts';
import { latencyModel } from './latency-model.ts';
import { createMemoryStore } from './memory.ts';
import { metered } from './metered.ts';
import type { ObjectStore } from './object-store.ts';
import { prefixed } from './prefixed.ts';
import { retrying } from './retrying.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Time that passes only by sleeping; timers run when their time has passed in a sleep. */
function createManualClock(): Clock & { readonly nowMs: () => number } {
  let nowMs = 1_000_000;
  const timers: Array<{ atMs: number; callback: () => void }> = [];
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    sleep: async (durationMs, signal) => {
      signal?.throwIfAborted();
      nowMs += durationMs;
      for (const timer of timers.splice(0)) {
        if (timer.atMs <= nowMs) timer.callback();
        else timers.push(timer);
      }
    },
    setTimer: (delayMs, callback) => {
      timers.push({ atMs: nowMs + delayMs, callback });
      return { cancel: () => {} };
    },
  };
}

/** A memory store of which every verb fails so many times first. */
function failing(
  code: 'unavailable' | 'permission_denied',
  failureCount: number,
): { store: ObjectStore; calls: string[] } {
  const inner = createMemoryStore({ clock: createSystemClock() });
  const calls: string[] = [];
  let left = failureCount;
  const attempt = async <R>(verb: string, run: () => Promise<R>): Promise<R> => {
    calls.push(verb);
    if (left-- > 0) throw new LagoonError(code, 'not now');
    return run();
  };
  const store: ObjectStore = {
    url: inner.url,
    get: (key) => attempt('get', () => inner.get(key)),
    put: (key, bytes) => attempt('put', () => inner.put(key, bytes)),
    create: (key, bytes) => attempt('create', () => inner.create(key, bytes)),
    list: (options) => attempt('list', () => inner.list(options)),
    delete: (keys) => attempt('delete', () => inner.delete(keys)),
    close: () => inner.close(),
  };
  return { store, calls };
}

describe('retrying', () => {
  const deps = () => ({ clock: createManualClock(), random: createSeededRandom(1) });

  test('repeats what may pass until it does, for every verb but create', async () => {
    for (const verb of ['get', 'put', 'list', 'delete', 'create'] as const) {
      const { store, calls } = failing('unavailable', 2);
      const patient = retrying(store, deps());
      const run = {
        get: () => patient.get('key'),
        put: () => patient.put('key', bytesOf('x')),
        list: () => patient.list({ prefix: '' }),
        delete: () => patient.delete(['key']),
        create: () => patient.create('key', bytesOf('x')),
      }[verb];
      if (verb === 'create') await expect(run()).rejects.toMatchObject({ code: 'unavailable' });
      else await run();
      expect([verb, calls.length]).toEqual([verb, verb === 'create' ? 1 : 3]);
    }
  });

  test('gives up after its bound, and at once for what does not pass', async () => {
    const dead = failing('unavailable', 100);
    await expect(retrying(dead.store, deps(), { attemptCountMax: 4 }).get('key')).rejects.toThrow('not now');
    expect(dead.calls).toHaveLength(4);
    const refused = failing('permission_denied', 100);
    await expect(retrying(refused.store, deps()).get('key')).rejects.toThrow('not now');
    expect(refused.calls).toHaveLength(1);
  });
});

describe('metered', () => {
  test('counts requests as they are billed and bytes both ways, until it is reset', async () => {
    const seen: Array<MetricLabels | undefined> = [];
    const metrics = {
      ...noMetrics,
      counter: (name: string) => ({
        add: (_: number, labels?: MetricLabels) => void (name.includes('requests') && seen.push(labels)),
      }),
    };
    const store = metered(createMemoryStore({ clock: createSystemClock() }), { clock: createSystemClock(), metrics });
    await store.create('a', bytesOf('12345'));
    await store.create('a', bytesOf('12345'));
    await store.put('b', bytesOf('123'));
    await store.get('a', { range: { start: 1, end: 3 } });
    await store.get('absent');
    await store.list({ prefix: '' });
    await store.delete(Array.from({ length: 2_500 }, (_, i) => `key ${i}`));
    await expect(store.get('')).rejects.toThrow();
    expect(store.snapshot()).toEqual({ get: 3, put: 1, create: 2, list: 1, delete: 3, bytesRead: 2, bytesWritten: 13 });
    expect(seen.map((labels) => labels?.outcome).join()).toBe('created,exists,ok,ok,ok,ok,ok,invalid_argument');
    store.reset();
    expect(store.snapshot()).toEqual({ get: 0, put: 0, create: 0, list: 0, delete: 0, bytesRead: 0, bytesWritten: 0 });
  });
});

describe('latency model', () => {
  test('a verb takes its base and its bytes, and takes effect half-way', async () => {
    const clock = createManualClock();
    const inner = createMemoryStore({ clock });
    const store = latencyModel(
      inner,
      { clock, random: createSeededRandom(1) },
      { put: { baseMs: 100, perMiBMs: 10 }, get: { baseMs: 40, perMiBMs: 20 } },
    );
    const startMs = clock.nowMs();
    await store.put('key', new Uint8Array(2 << 20));
    expect(clock.nowMs() - startMs).toBe(120);
    expect((await inner.list({ prefix: '' })).objects[0]?.lastModifiedMs).toBe(startMs + 70);
    await store.get('key');
    expect(clock.nowMs() - startMs).toBe(200);
    await store.list({ prefix: '' });
    expect(clock.nowMs() - startMs).toBe(200);
  });
});

describe('fault injecting', () => {
  async function run(seed: number, policy: FaultPolicy): Promise<{ trace: string; counts: Record<string, number> }> {
    const clock = createManualClock();
    const store = faultInjecting(createMemoryStore({ clock }), { clock, random: createSeededRandom(seed) }, policy);
    const trace: string[] = [];
    const note = async (call: () => Promise<unknown>): Promise<void> => {
      const text = await call().then(
        JSON.stringify,
        (error: LagoonError) => `${error.code} ${JSON.stringify(error.context)}`,
      );
      trace.push(`${clock.nowMs()} ${text}`);
    };
    for (let i = 0; i < 400; i++) {
      await note(() => store.create(`key ${i % 50}`, bytesOf(`create ${i}`)));
      await note(() => store.put(`put ${i % 50}`, bytesOf(`put ${i}`)));
      await note(() => store.get(`put ${i % 50}`));
      await note(() => store.list({ prefix: '', limit: 5 }));
      await note(() => store.delete([`key ${(i * 7) % 50}`]));
    }
    return { trace: trace.join('\n'), counts: store.counts() };
  }
  const all = Object.fromEntries(faultNames.map((name) => [name, 0.05])) as FaultPolicy;

  test('the same seed gives the same run, and every fault happens', async () => {
    const first = await run(7, all);
    expect(await run(7, all)).toEqual(first);
    expect((await run(8, all)).trace).not.toBe(first.trace);
    for (const name of faultNames) expect([name, (first.counts[name] ?? 0) > 0]).toEqual([name, true]);
  });

  test('without a policy nothing happens', async () => {
    const { trace, counts } = await run(1, {});
    expect(trace).not.toMatch(/unavailable|unknown/);
    expect(Object.values(counts).every((count) => count === 0)).toBe(true);
  });

  test('what is applied and what is answered', async () => {
    const clock = createManualClock();
    const inner = createMemoryStore({ clock });
    const store = faultInjecting(inner, { clock, random: createSeededRandom(1) });
    const create = async (key: string, policy: FaultPolicy) => {
      store.setPolicy(policy);
      const { outcome } = await store.create(key, bytesOf('x'));
      return [outcome, (await inner.get(key)) !== undefined];
    };
    expect(await create('a', { resetBefore: 1 })).toEqual(['unknown', false]);
    expect(await create('b', { resetAfter: 1 })).toEqual(['unknown', true]);
    expect(await create('c', { createConflict: 1 })).toEqual(['unknown', false]);
    expect(await create('d', { unavailableBurst: 1 })).toEqual(['unknown', false]);
    expect(await create('e', { lateCreate: 1, lateMsMax: 1000 })).toEqual(['unknown', false]);
    await clock.sleep(1000);
    expect(await inner.get('e')).toBeDefined();
    expect(await create('f', {})).toEqual(['created', true]);
    store.setPolicy({ resetAfter: 1 });
    await expect(store.put('g', bytesOf('x'))).rejects.toMatchObject({ code: 'unavailable' });
    expect(await inner.get('g')).toBeDefined();
    store.setPolicy({ flippedBit: 1 });
    const flipped = (await store.get('f'))?.bytes[0] ?? 0;
    expect(Math.log2(flipped ^ bytesOf('x').reduce((a, b) => a ^ b))).toBeGreaterThanOrEqual(0);
    store.setPolicy({ tornBody: 1 });
    expect((await store.get('f'))?.bytes.byteLength).toBe(0);
  });
});

describe('prefixed', () => {
  test('nothing outside the prefix is seen, and an empty key stays an error', async () => {
    const inner = createMemoryStore({ clock: createSystemClock() });
    const store = prefixed(inner, 'tenant/');
    await inner.put('other', bytesOf('x'));
    await store.put('key', bytesOf('x'));
    expect((await store.list({ prefix: '' })).objects.map((object) => object.key)).toEqual(['key']);
    expect((await inner.get('tenant/key'))?.objectSize).toBe(1);
    await expect(store.put('', bytesOf('x'))).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(store.delete([''])).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(store.url).toBe('memory:/tenant/');
  });
});
