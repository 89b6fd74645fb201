import { describe, expect, test } from '@jest/globals';
import { noMetrics, silentLog } from '@lagoon/base';
import { gcStateKey, headKey, listEverything } from '@lagoon/namespace';
import { metered } from '@lagoon/object-store';
import { compact, createTestWorld, type TestWorld, testName } from '../testing.ts';
import { resolveGcConfig } from './gc-config.ts';
import { createGcJob, type GcJob } from './gc-job.ts';
import { decodeGcState, encodeGcState } from './gc-state.v1.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A process that begins to collect. */
function startJob(world: TestWorld, goesOn = true) {
  const store = metered(world.store, world);
  const deps = { store, namespaceLog: world.log, clock: world.clock, log: silentLog, metrics: noMetrics, goesOn };
  return { job: createGcJob(deps, resolveGcConfig({})), store };
}

async function passUntilSettled(world: TestWorld, job: GcJob): Promise<void> {
  for (let passCount = 0; passCount < 200; passCount++) {
    const { failures } = await job.run();
    expect(failures).toEqual([]);
    if (job.isSettled) return;
    world.clock.advance(660_000);
  }
  throw new Error('never settled');
}

async function keysOf(world: TestWorld): Promise<string[]> {
  return (await listEverything(world.store, '')).objects.map(({ key }) => key);
}

async function writeSome(world: TestWorld): Promise<void> {
  const role = world.compactor();
  await world.write([[1, 'one']]);
  await compact(role);
  await role.close();
}

describe('a process that starts again', () => {
  test('goes on where the one before was: no listing, and no look at what was settled', async () => {
    const world = createTestWorld();
    await writeSome(world);
    await passUntilSettled(world, startJob(world).job);
    const { job, store } = startJob(world);
    await job.run();
    expect(store.snapshot()).toMatchObject({ get: 1, list: 0, put: 0, create: 0, delete: 0 });
    expect(job.isSettled).toBe(true);
    world.clock.advance(dayMs);
    store.reset();
    await job.run();
    expect(store.snapshot()).toMatchObject({ get: 1, list: 5, put: 1, create: 0, delete: 0 });
  });

  test('looks at what the one before had left open, without a listing of everything', async () => {
    const world = createTestWorld();
    await writeSome(world);
    await startJob(world).job.run();
    world.clock.advance(2 * hourMs);
    const { job } = startJob(world);
    const report = await job.run();
    expect(report.floorsRaised).toBe(1);
  });

  test('looks at everything where the state is damaged or its time is in the future', async () => {
    const world = createTestWorld();
    await writeSome(world);
    await passUntilSettled(world, startJob(world).job);
    const state = (await world.store.get(gcStateKey))?.bytes ?? new Uint8Array(0);
    for (const [index, byte] of state.entries()) {
      if (index % 7 !== 0) continue;
      const damaged = state.slice();
      damaged[index] = byte ^ 4;
      await world.store.put(gcStateKey, damaged);
      const { job, store } = startJob(world);
      await job.run();
      expect(store.snapshot().list).toBeGreaterThan(5);
    }
    await world.store.put(
      gcStateKey,
      encodeGcState({ ...decodeGcState(state), sweptAtMs: world.clock.wallMs() + dayMs }),
    );
    const { job, store } = startJob(world);
    await job.run();
    expect(store.snapshot().list).toBe(5);
  });
});

test('a name that changed behind its settled state is found by the next sweep, and nothing else is looked at', async () => {
  const world = createTestWorld();
  await writeSome(world);
  await passUntilSettled(world, startJob(world).job);
  await world.truncate();
  const { job } = startJob(world);
  await job.run();
  expect(job.isSettled).toBe(true); // nobody has told it
  world.clock.advance(dayMs);
  await job.run();
  expect(job.isSettled).toBe(false);
  await passUntilSettled(world, job);
  expect((await keysOf(world)).filter((key) => !key.includes('/floor/') && key !== gcStateKey).length).toBe(1);
});

test('a hint that a late writer puts back after its name has ended and was settled goes with the next sweep', async () => {
  const world = createTestWorld();
  await writeSome(world);
  await world.truncate();
  await world.log.writeHint(await world.view());
  const hint = await world.store.get(headKey(testName));
  const { job } = startJob(world, false);
  await passUntilSettled(world, job);
  expect(await keysOf(world)).not.toContain(headKey(testName));
  await world.store.put(headKey(testName), hint?.bytes ?? new Uint8Array(0));
  world.clock.advance(dayMs);
  await passUntilSettled(world, job);
  expect(await keysOf(world)).not.toContain(headKey(testName));
});

test('a hint goes also where a number was burnt after the name had ended', async () => {
  const world = createTestWorld();
  await writeSome(world);
  await world.truncate();
  await world.log.append(await world.view(), () => ({ kind: 'aborted', revokedJobs: [] }));
  await world.log.writeHint(await world.view());
  const { job } = startJob(world, false);
  await passUntilSettled(world, job);
  expect(await keysOf(world)).not.toContain(headKey(testName));
});
