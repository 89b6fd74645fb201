import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createGcJob, type GcJob, resolveGcConfig } from '@lagoon/compactor';
import { createNamespaceLog } from '@lagoon/namespace';
import { type Actor, createActor } from '../actor.ts';
import { defaultClusterOptions } from '../cluster.ts';
import { verify } from '../final-checks.ts';
import { callUntilAnswered, drive, type World } from '../world.ts';
import { answered, contentOf, createScenario, indexed, type Pending, pass, path, start, write } from './scenario.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;
const childPath = '/v2/namespaces/child';
const before = { 1: 1, 2: 2, 3: 2 };

/** What makes something live again, of generation G: each is stopped at each of its store calls. */
const revivers = {
  branch: {
    prepare: async () => {},
    begin: (world: World) => start(world, 'POST', childPath, { branch_from_namespace: 'alpha' }),
  },
  'branch of an older generation': {
    prepare: async () => {},
    begin: (world: World, generation: number) =>
      start(world, 'POST', childPath, { branch_from_namespace: { source_namespace: 'alpha', generation } }),
  },
  snapshot: {
    prepare: async () => {},
    begin: (world: World) => start(world, 'POST', `${path}/snapshots`, { name: 's' }),
  },
  restore: {
    prepare: async (world: World) => {
      await callUntilAnswered(world, 'POST', `${path}/snapshots`, { name: 's' });
    },
    begin: (world: World) => start(world, 'POST', `${path}/restore`, { snapshot: 's', into: 'child' }),
  },
} as const;

interface Outcome {
  readonly world: World;
  readonly isHit: boolean;
  readonly pending: Pending;
}

function collecting(world: World): GcJob {
  const actor = createActor(world.scheduler, 'collector', 0);
  const base = {
    store: world.store.handle(actor),
    clock: actor.clock,
    random: createSeededRandom(world.random.integer(2 ** 31)),
    log: silentLog,
    metrics: noMetrics,
  };
  const config = { retentionMs: 0, graceMs: 10 * minuteMs, sweepIntervalMs: 1 };
  return createGcJob({ ...base, namespaceLog: createNamespaceLog(base) }, resolveGcConfig(config));
}

async function collectFor(world: World, durationMs: number, job: GcJob): Promise<void> {
  const untilMs = world.scheduler.nowMs + durationMs;
  while (world.scheduler.nowMs < untilMs) {
    expect((await drive(world, () => job.run())).failures).toEqual([]);
    await pass(world, 11 * minuteMs);
  }
}

/** The reviver's process is struck at its n-th store call; meanwhile the source moves on, and garbage collection runs to its end. */
async function struckAt(
  name: keyof typeof revivers,
  point: number,
  strike: (world: World, actor: Actor) => void,
): Promise<Outcome> {
  const world = createScenario({
    ingesterCount: 2,
    compactorCount: 1,
    gc: { intervalMs: 1e12 },
    compactor: { ...defaultClusterOptions.compactor, sweepIntervalMs: 10 * minuteMs, absorbBytesMax: 0 },
  });
  world.cluster.writesTo = 0;
  await write(world, 1, [1, 2]);
  await indexed(world);
  const { body } = await write(world, 2, [2, 3]);
  await revivers[name].prepare(world);
  let callCount = 0;
  let isHit = false;
  const victim = world.cluster.ingesters[0]?.actor;
  world.store.onCall = ({ actor }) => {
    if (isHit || actor !== victim || callCount++ !== point) return undefined;
    isHit = true;
    strike(world, actor);
    return undefined;
  };
  const pending = revivers[name].begin(world, Number(body.manifest_generation));
  await pass(world, 3_000);
  world.store.onCall = undefined;
  world.cluster.writesTo = 1;
  const job = collecting(world);
  for (let w = 10; w < 13; w++) {
    await write(world, w, [1, 2, 3]);
    await indexed(world);
  }
  await collectFor(world, hourMs, job);
  return { world, isHit, pending };
}

async function contentAt(world: World, name: string): Promise<unknown> {
  const body = { rank_by: ['id', 'asc'], limit: 100, include_attributes: ['w'] };
  return contentOf(await callUntilAnswered(world, 'POST', `/v2/namespaces/${name}/query`, body));
}

async function expectWhole(world: World): Promise<void> {
  expect((await verify(world)).problems).toEqual([]);
  expect(await contentAt(world, 'alpha')).toEqual({ 1: 12, 2: 12, 3: 12 });
}

describe.each(Object.keys(revivers) as (keyof typeof revivers)[])('%s', (name) => {
  test('paused at every step while the floor rises and collection runs to its end: refused, or all that it needs is there', async () => {
    const statuses = new Set<number>();
    for (let point = 0; ; point++) {
      const { world, isHit, pending } = await struckAt(name, point, (_, actor) => actor.pause(2 * hourMs));
      await pass(world, 2 * hourMs);
      const { status } = await answered(world, pending);
      statuses.add(status);
      if (status === 200 && name === 'snapshot') {
        const restored = await callUntilAnswered(world, 'POST', `${path}/restore`, { snapshot: 's', into: 'child' });
        expect({ point, status: restored.status }).toEqual({ point, status: 200 });
      }
      if (status === 200) {
        const seen = await contentAt(world, 'child');
        const newest = { 1: 12, 2: 12, 3: 12 }; // it had not looked yet when it was stopped
        expect({
          point,
          seen: [before, newest].some((one) => JSON.stringify(one) === JSON.stringify(seen)) || seen,
        }).toEqual({
          point,
          seen: true,
        });
      } else
        expect({ point, isTyped: [404, 410, 499, 503, 504].includes(status) || status }).toEqual({
          point,
          isTyped: true,
        });
      await expectWhole(world);
      if (!isHit) break;
      expect(point).toBeLessThan(40);
    }
    expect(statuses.has(200)).toBe(true);
  }, 120_000);

  test('dead at every step: it is there whole, or leaves nothing behind', async () => {
    for (let point = 0; ; point++) {
      const { world, isHit } = await struckAt(name, point, (at) => at.cluster.ingesters[0]?.restart(500));
      if (!isHit) break;
      const snapshots = await callUntilAnswered(world, 'GET', `${path}/snapshots`, undefined);
      if (name !== 'restore' && (snapshots.body.snapshots as unknown[]).length > 0)
        await callUntilAnswered(world, 'DELETE', `${path}/snapshots/s`, undefined);
      const seen = await contentAt(world, 'child');
      if (seen !== undefined) expect({ point, seen }).toEqual({ point, seen: before });
      await callUntilAnswered(world, 'DELETE', childPath, undefined);
      await callUntilAnswered(world, 'DELETE', `${path}/snapshots/s`, undefined);
      await expectWhole(world);
      await collectFor(world, 30 * hourMs, collecting(world));
      await expectWhole(world);
      const orphans = (await verify(world)).orphans.map(({ key, reason }) => `${key}: ${reason}`);
      expect({ point, orphans }).toEqual({ point, orphans: [] });
    }
  }, 240_000);
});
