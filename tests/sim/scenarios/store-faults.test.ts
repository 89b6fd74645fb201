import { describe, expect, test } from '@jest/globals';
import { type FaultPolicy, noFaults } from '../faults.ts';
import { simulate, simulationOf } from '../simulation.ts';

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
});
