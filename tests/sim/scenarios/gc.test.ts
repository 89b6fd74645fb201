import { describe, expect, test } from '@jest/globals';
import { createSeededRandom, noMetrics, silentLog } from '@lagoon/base';
import { createGcJob, type GcConfig, type GcJob, resolveGcConfig } from '@lagoon/compactor';
import { createNamespaceLog } from '@lagoon/namespace';
import { type Actor, createActor } from '../actor.ts';
import { defaultClusterOptions } from '../cluster.ts';
import { noFaults, ordinaryFaults } from '../faults.ts';
import { verify } from '../final-checks.ts';
import { callUntilAnswered, drive, type World } from '../world.ts';
import {
  contentOf,
  createScenario,
  expectContent,
  idleCompactor,
  indexed,
  namespace,
  onFirst,
  pass,
  path,
  start,
  until,
  write,
} from './scenario.ts';

const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const quick: Partial<GcConfig> = { retentionMs: 0, graceMs: 10 * minuteMs, sweepIntervalMs: 1 };
/** The compactors' own collectors stay out of it. */
const quiet = {
  compactorCount: 1,
  gc: { intervalMs: 400 * dayMs },
  compactor: { ...defaultClusterOptions.compactor, sweepIntervalMs: 600_000 },
};

interface Collecting {
  readonly actor: Actor;
  readonly job: GcJob;
}

/** A collector in a process of its own. */
function collecting(world: World, name = 'collector'): Collecting {
  const actor = createActor(world.scheduler, name, 0);
  const base = {
    store: world.store.handle(actor),
    clock: actor.clock,
    random: createSeededRandom(world.random.integer(2 ** 31)),
    log: silentLog,
    metrics: noMetrics,
  };
  return { actor, job: createGcJob({ ...base, namespaceLog: createNamespaceLog(base) }, resolveGcConfig(quick)) };
}

/** Passes eleven minutes apart for so long. */
async function collectFor(world: World, durationMs: number, { job }: Collecting): Promise<void> {
  const untilMs = world.scheduler.nowMs + durationMs;
  while (world.scheduler.nowMs < untilMs) {
    const { failures } = await drive(world, () => job.run());
    expect(failures).toEqual([]);
    await pass(world, 11 * minuteMs);
  }
}

/** Nothing needed is missing, and nothing is left over. */
async function expectClean(world: World): Promise<void> {
  const { problems, orphans } = await verify(world);
  expect({ problems, orphans }).toEqual({ problems: [], orphans: [] });
}

/** Some manifests, deletes among them, and a life that has ended before. */
async function past(world: World): Promise<void> {
  await write(world, 1, [1, 2]);
  await indexed(world);
  await callUntilAnswered(world, 'DELETE', path, undefined);
  for (let w = 2; w < 7; w++) {
    await write(world, w, [w, w + 1]);
    await indexed(world);
    await pass(world, minuteMs);
  }
}

const pastContent = { 2: 2, 3: 3, 4: 4, 5: 5, 6: 6, 7: 6 };

describe('garbage collection', () => {
  test('a compactor that wakes a day later, its job revoked and its segments gone: nothing of it is committed', async () => {
    const world = createScenario(quiet);
    const collector = collecting(world);
    const hit = onFirst(world, { actor: /compactor/, verb: 'create', key: /^data\// }, ({ actor }) => {
      world.scheduler.schedule(0, () => actor.pause(29 * hourMs));
      return undefined;
    });
    await write(world, 1, [1, 2]);
    await until(world, () => hit.isHit);
    await pass(world, minuteMs);
    expect([...world.store.objects.keys()].filter((key) => key.startsWith('data/')).length).toBe(1);
    await collectFor(world, 28 * hourMs, collector);
    expect([...world.store.objects.keys()].filter((key) => key.startsWith('data/'))).toEqual([]);
    await pass(world, 2 * hourMs);
    await write(world, 2, [2, 3]);
    await indexed(world);
    await expectContent(world, { 1: 1, 2: 2, 3: 2 });
    await collectFor(world, 30 * hourMs, collector);
    await expectClean(world);
    await expectContent(world, { 1: 1, 2: 2, 3: 2 });
  }, 60_000);

  test('an index job in flight while the namespace is deleted and created again and garbage goes: dropped, old rows never return', async () => {
    const world = createScenario(quiet);
    const collector = collecting(world);
    const hit = onFirst(world, { actor: /compactor/, verb: 'create', key: /\/body\// }, ({ actor }) => {
      world.scheduler.schedule(0, () => actor.pause(5 * hourMs));
      return undefined;
    });
    await write(world, 1, [1, 2, 3]);
    await until(world, () => hit.isHit);
    await callUntilAnswered(world, 'DELETE', path, undefined);
    await write(world, 2, [3, 4]);
    await collectFor(world, 4.5 * hourMs, collector);
    await pass(world, hourMs);
    await indexed(world);
    await expectContent(world, { 3: 2, 4: 2 });
    await collectFor(world, 30 * hourMs, collector);
    await expectClean(world);
    await expectContent(world, { 3: 2, 4: 2 });
  }, 60_000);

  test('a snapshot of what was never indexed, whose namespace has ended: all that it needs stays, until it is deleted', async () => {
    const world = createScenario(quiet);
    const collector = collecting(world);
    const hit = onFirst(world, { actor: /compactor/, verb: 'create', key: /^data\// }, () => {
      world.cluster.compactors[0]?.restart(3 * dayMs); // the family has its record by then
      return undefined;
    });
    await write(world, 1, [1, 2]);
    await until(world, () => hit.isHit);
    await callUntilAnswered(world, 'POST', `${path}/snapshots`, { name: 's' });
    await callUntilAnswered(world, 'DELETE', path, undefined);
    await write(world, 2, [3]);
    await callUntilAnswered(world, 'DELETE', path, undefined);
    await collectFor(world, 4 * hourMs, collector);
    await expectClean(world);
    expect((await callUntilAnswered(world, 'POST', `${path}/restore`, { snapshot: 's', into: namespace })).status).toBe(
      200,
    );
    await expectContent(world, { 1: 1, 2: 1 });
    await callUntilAnswered(world, 'DELETE', path, undefined);
    await callUntilAnswered(world, 'DELETE', `${path}/snapshots/s`, undefined);
    await collectFor(world, 4 * hourMs, collector);
    await expectClean(world);
    expect(
      [...world.store.objects.keys()].filter((key) => /^(data|family|catalog)\/|\/(body|pins)\//.test(key)),
    ).toEqual([]);
  }, 60_000);

  test('a name that is deleted, born again in another family and collected there, while an old branch still reads the first tail: the branch keeps every row', async () => {
    const world = createScenario({ ...quiet, compactor: idleCompactor });
    const collector = collecting(world);
    await write(world, 1, [1, 2]);
    await write(world, 2, [2, 3]);
    await callUntilAnswered(world, 'POST', '/v2/namespaces/branch', { branch_from_namespace: namespace });
    for (let life = 10; life < 13; life++) {
      await callUntilAnswered(world, 'DELETE', path, undefined);
      await write(world, life, [life]);
    }
    await collectFor(world, 4 * hourMs, collector);
    for (const node of world.cluster.queryNodes) node.restart(10);
    await pass(world, 1_000);
    const body = { rank_by: ['id', 'asc'], limit: 10, include_attributes: ['w'] };
    const answer = await callUntilAnswered(world, 'POST', '/v2/namespaces/branch/query', body);
    expect(contentOf(answer)).toEqual({ 1: 1, 2: 2, 3: 2 });
    await expectContent(world, { 12: 12 });
    await expectClean(world);
    await callUntilAnswered(world, 'DELETE', '/v2/namespaces/branch', undefined);
    await collectFor(world, 28 * hourMs, collector);
    await expectClean(world);
    await expectContent(world, { 12: 12 });
  }, 60_000);

  test('a delete of a pin that arrives after the name was taken again: the new snapshot holds', async () => {
    const world = createScenario(quiet);
    const collector = collecting(world);
    const snapshots = `${path}/snapshots`;
    await write(world, 1, [1]);
    await callUntilAnswered(world, 'POST', snapshots, { name: 's' });
    const hit = onFirst(world, { verb: 'delete', key: /\/pins\// }, () => ({ delayMs: 20 * minuteMs }));
    start(world, 'DELETE', `${snapshots}/s`, undefined);
    await until(world, () => hit.isHit);
    await callUntilAnswered(world, 'DELETE', `${snapshots}/s`, undefined);
    await write(world, 2, [2]);
    expect((await callUntilAnswered(world, 'POST', snapshots, { name: 's' })).status).toBe(200);
    for (let w = 3; w < 6; w++) {
      await write(world, w, [1, 2]);
      await indexed(world);
    }
    await collectFor(world, 4 * hourMs, collector);
    const restored = await callUntilAnswered(world, 'POST', `${path}/restore`, { snapshot: 's', into: 'child' });
    expect(restored.status).toBe(200);
    const body = { rank_by: ['id', 'asc'], limit: 10, include_attributes: ['w'] };
    const seen = contentOf(await callUntilAnswered(world, 'POST', '/v2/namespaces/child/query', body));
    expect(seen).toEqual({ 1: 1, 2: 2 });
    expect((await verify(world)).problems).toEqual([]);
  }, 60_000);

  test.each([1, 2, 3, 4, 5])(
    'two collectors at once on a failing store (seed %i): all that is needed stays',
    async (seed) => {
      const world = createScenario({ ...quiet, seed });
      await past(world);
      const both = [collecting(world, 'collector-a'), collecting(world, 'collector-b')];
      world.store.policy = ordinaryFaults;
      for (let round = 0; round < 12; round++) {
        await drive(world, () => Promise.allSettled(both.map(({ job }) => job.run())));
        await pass(world, 11 * minuteMs);
      }
      world.store.policy = noFaults;
      await collectFor(world, 28 * hourMs, collecting(world, 'collector-c'));
      await expectClean(world);
      await expectContent(world, pastContent);
    },
  );

  test('a collector dies at any store call: what is needed stays, and the next one finishes', async () => {
    let pointCount = 0;
    for (let point = 0; ; point++) {
      const world = createScenario(quiet);
      await past(world);
      const victim = collecting(world, 'victim');
      let callCount = 0;
      world.store.onCall = ({ actor }) => {
        if (actor === victim.actor && callCount++ === point) actor.crash();
        return undefined;
      };
      let ended = false;
      for (let round = 0; round < 12 && victim.actor.alive; round++) {
        ended = false;
        const settle = () => {
          ended = true;
        };
        victim.job.run().then(settle, settle);
        await until(world, () => ended || !victim.actor.alive);
        await pass(world, 11 * minuteMs);
      }
      world.store.onCall = undefined;
      if (victim.actor.alive) break;
      pointCount++;
      const { problems } = await verify(world);
      expect({ point, problems }).toEqual({ point, problems: [] });
      if (point % 20 !== 0) continue; // the rest of the way is the same from many of them
      await collectFor(world, 28 * hourMs, collecting(world, 'next'));
      await expectClean(world);
      await expectContent(world, pastContent);
    }
    expect(pointCount).toBeGreaterThan(50);
  }, 300_000);
});

describe('fsck', () => {
  test('tells every object that is missing or damaged', async () => {
    const world = createScenario(quiet);
    await past(world);
    await expect(verify(world)).resolves.toMatchObject({ problems: [] });
    const needed = [...world.store.objects.keys()].filter((key) => /^data\/|^catalog\/|\/log\/|\/body\//.test(key));
    const { orphans } = await verify(world);
    const spare = new Set(orphans.map(({ key }) => key));
    for (const key of needed.filter((candidate) => !spare.has(candidate))) {
      const held = world.store.objects.get(key);
      const bytes = held?.bytes ?? new Uint8Array(0);
      world.store.remove(key);
      expect({ key, found: (await verify(world)).problems.length > 0 }).toEqual({ key, found: true });
      if (bytes.byteLength > 0) {
        const damaged = bytes.slice();
        const at = damaged.byteLength >> 1;
        damaged[at] = (damaged[at] ?? 0) ^ 4;
        world.store.insert(key, damaged);
        expect({ key, found: (await verify(world)).problems.length > 0 }).toEqual({ key, found: true });
      }
      world.store.insert(key, bytes);
    }
    expect((await verify(world)).problems).toEqual([]);
  }, 60_000);
});
