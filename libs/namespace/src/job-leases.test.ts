import { beforeEach, describe, expect, test } from '@jest/globals';
import { createSeededRandom, silentLog } from '@lagoon/base';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { createJobLeases, leaseMs, sweepJobLeases } from './job-leases.ts';
import { leasesPrefix } from './keys.ts';
import { createScriptedStore, createTestClock, type ScriptedStore, type TestClock } from './testing.ts';

let clock: TestClock;
let memory: ObjectStore;
let store: ScriptedStore;

beforeEach(() => {
  clock = createTestClock();
  memory = createMemoryStore({ clock: { wallMs: clock.worldMs } });
  store = createScriptedStore(memory);
});

/** A process; its own clock stands still, so that it renews nothing. */
const leases = (seed: number) =>
  createJobLeases({ store, clock: createTestClock(), random: createSeededRandom(seed), log: silentLog });
const keys = async () => (await memory.list({ prefix: leasesPrefix })).objects.map(({ key }) => key);

describe('leases of large work', () => {
  test('are renewed while they are held, and not any more when they were released', async () => {
    const deps = { store, clock, random: createSeededRandom(1), log: silentLog };
    const lease = await createJobLeases(deps).claim('index', 'docs');
    for (let third = 0; third < 6; third++) {
      clock.advance(leaseMs / 3);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await leases(2).claim('index', 'docs')).toBeUndefined();
    await lease?.release();
    clock.advance(leaseMs);
    await new Promise((resolve) => setImmediate(resolve));
    expect(await keys()).toEqual([]);
  });

  test('one process at a time: another is refused until the claim is released; two requests and one', async () => {
    const lease = await leases(1).claim('index', 'docs');
    expect(store.takeRequests().length).toBe(2);
    expect(await leases(2).claim('index', 'docs')).toBeUndefined();
    expect(await leases(2).claim('merge', 'docs')).toBeDefined();
    expect(await leases(2).claim('index', 'docs-2')).toBeDefined();
    store.takeRequests();
    await lease?.release();
    expect(store.takeRequests().length).toBe(1);
    expect(await leases(2).claim('index', 'docs')).toBeDefined();
  });

  test('of two at once one wins', async () => {
    const both = await Promise.all([leases(1).claim('index', 'docs'), leases(2).claim('index', 'docs')]);
    expect(both.filter((lease) => lease !== undefined).length).toBe(1);
  });

  test('the claim of a process that died is void after its time, and cleared away', async () => {
    await leases(1).claim('index', 'docs');
    clock.advance(leaseMs - 1);
    await memory.put((await keys())[0] ?? '', new Uint8Array(0)); // renewed
    clock.advance(leaseMs - 1);
    expect(await leases(2).claim('index', 'docs')).toBeUndefined();
    clock.advance(1);
    expect(await leases(2).claim('index', 'docs')).toBeDefined();
    expect((await keys()).length).toBe(1);
  });

  test('a sweep removes what nobody has renewed for a day', async () => {
    await leases(1).claim('index', 'docs');
    expect(await sweepJobLeases(memory)).toBe(0);
    clock.advance(24 * 3_600_000);
    await leases(1).claim('index', 'more');
    expect(await sweepJobLeases(memory)).toBe(1);
    expect((await keys()).length).toBe(1);
  });
});
