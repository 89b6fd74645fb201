import { describe, expect, test } from '@jest/globals';
import { type FaultPolicy, noFaults } from '../faults.ts';
import { simulate, simulationOf } from '../simulation.ts';
import {
  answered,
  createScenario,
  expectContent,
  indexed,
  manifestCount,
  type Pending,
  pass,
  startWrite,
  until,
  write,
} from './scenario.ts';

/** Each kind of misbehaviour alone, hard, while clients work; afterwards the whole check of a simulation. */
const policies: Readonly<Record<string, Partial<FaultPolicy>>> = {
  'a storm of 503': { unavailable: 0.7 },
  'latency of seconds': { slow: 0.8 },
  'connections reset before the request is applied': { resetBefore: 0.4 },
  'connections reset after it': { resetAfter: 0.4 },
  'requests applied minutes late': { lateApply: 0.2 },
  'conflicts with requests that nobody sees': { conflict: 0.5 },
  'torn answers': { tornBody: 0.25 },
  'flipped bits': { flippedBit: 0.25 },
  'slow lists': { slowList: 1 },
  'times that are off by a day': { skewedTime: 1 },
};
/**
 * Success, absence, or what a client takes as "try again"; 499 is its own giving up, 422 a key that another request took, 400 a branch or a restore
 * onto a name that lives.
 */
const honest = [200, 400, 404, 422, 429, 499, 503, 504];
/** Bytes that are damaged time and again are not passed for an outage. */
const damaging = ['torn answers', 'flipped bits'];

describe('a store that misbehaves', () => {
  test.each(Object.keys(policies))(
    '%s: a typed answer, never a wrong one; ready again when the store is',
    async (name) => {
      for (const seed of [1, 2, 3]) {
        const faults = { ...noFaults, ...policies[name] };
        const quiet = { nemesisEveryMs: Number.POSITIVE_INFINITY, lostReplyProbability: 0, lostRequestProbability: 0 };
        const result = await simulate({ ...simulationOf(seed), ...quiet, faults });
        expect({ seed, wrong: result.wrong }).toEqual({ seed, wrong: [] });
        const statuses = [...result.history.statuses.keys()];
        const allowed = damaging.includes(name) ? [...honest, 500] : honest;
        expect(statuses.filter((status) => !allowed.includes(status))).toEqual([]);
      }
    },
  );

  test('503 for a minute: every answer says so, and a second after it all is as before', async () => {
    const world = createScenario();
    await write(world, 1, [1, 2]);
    world.store.policy = { ...noFaults, unavailable: 1 };
    const answers = Array.from({ length: 20 }, (_, i) => {
      const pending: { inner?: Pending } = {};
      world.scheduler.schedule(i * 3_000, () => {
        pending.inner = startWrite(world, 100 + i, [9], `key-${i}`);
      });
      return pending;
    });
    await pass(world, 60_000);
    world.store.policy = noFaults;
    await pass(world, 1_000);
    expect((await answered(world, startWrite(world, 2, [3], 'after'))).status).toBe(200);
    await until(world, () => answers.every(({ inner }) => inner?.answer !== undefined));
    const statuses = new Set(answers.map(({ inner }) => inner?.answer?.status));
    expect([...statuses].filter((status) => status !== 503 && status !== 504 && status !== 200)).toEqual([]);
    await indexed(world);
    const applied = answers.findLastIndex(({ inner }) => inner?.answer?.status === 200);
    await expectContent(world, { 1: 1, 2: 1, 3: 2, ...(applied < 0 ? {} : { 9: 100 + applied }) });
  });

  test('clocks of all processes a day apart: nothing is early, nothing is late', async () => {
    const world = createScenario({ wallSkewMsMax: 2 * 86_400_000, ingesterCount: 3 });
    for (let w = 1; w < 10; w++) await write(world, w, [w % 3], `key-${w}`);
    await indexed(world);
    expect(manifestCount(world)).toBeGreaterThan(0);
    for (let w = 1; w < 10; w++) await write(world, w, [w % 3], `key-${w}`); // every retry is known
    await expectContent(world, { 0: 9, 1: 7, 2: 8 });
  });
});
