import { describe, expect, test } from '@jest/globals';
import { createSystemRandom } from '@lagoon/base';
import { crashSubjects, explore } from './crash-points.ts';
import { createFaultCounts, type FaultCounts } from './faults.ts';
import { longSimulationOf } from './long-simulation.ts';
import { collectingSimulationOf, simulate, simulationOf } from './simulation.ts';

const fixedSeedCount = 40;
const newSeedCount = 10;
const collectingSeedCount = 20;
const longSeedCount = 20;

describe('simulation', () => {
  const totals: FaultCounts = createFaultCounts();
  const add = (counts: FaultCounts): void => {
    for (const kind of Object.keys(totals) as (keyof FaultCounts)[]) totals[kind] += counts[kind];
  };

  test('whatever fails, no acknowledged write is lost and no read is wrong', async () => {
    const random = createSystemRandom();
    const newSeeds = Array.from({ length: newSeedCount }, () => random.integer(2 ** 31));
    process.stdout.write(`simulation: seeds 1 to ${fixedSeedCount}, and new ones ${newSeeds.join(' ')}\n`);
    const seeds = [...Array.from({ length: fixedSeedCount }, (_, i) => i + 1), ...newSeeds];
    const made = { births: 0, snapshots: 0, exports: 0, merges: 0 };
    for (const seed of seeds) {
      const result = await simulate(simulationOf(seed));
      expect({ seed, wrong: result.wrong }).toEqual({ seed, wrong: [] });
      add(result.counts);
      made.merges += result.mergeCount;
      made.births += result.history.births.length;
      made.snapshots += result.history.snapshots.length;
      made.exports += result.history.reads.filter(({ kind }) => kind === 'export').length;
    }
    expect(Object.entries(made).filter(([, count]) => count === 0)).toEqual([]);
  }, 600_000);

  test('over days, with garbage collected all the time, the same holds; and in the end all that is needed is left and nothing else', async () => {
    let collectedCount = 0;
    for (let seed = 1; seed <= collectingSeedCount; seed++) {
      const result = await simulate(collectingSimulationOf(seed));
      expect({ seed, wrong: result.wrong }).toEqual({ seed, wrong: [] });
      add(result.counts);
      collectedCount += result.collectedCount;
    }
    expect(collectedCount).toBeGreaterThan(collectingSeedCount * 20);
  }, 600_000);

  test('over weeks, with builders that stand still for longer than a job may take, the same holds', async () => {
    for (let seed = 1; seed <= longSeedCount; seed++) {
      const result = await simulate(longSimulationOf(seed));
      expect({ seed, wrong: result.wrong }).toEqual({ seed, wrong: [] });
      add(result.counts);
    }
  }, 600_000);

  test('in all of these, every kind of fault did happen', () => {
    expect(Object.entries(totals).filter(([, count]) => count === 0)).toEqual([]);
  });

  test('the same seed twice is the same run', async () => {
    const first = await simulate(simulationOf(4242));
    const second = await simulate(simulationOf(4242));
    expect(second.traceHash).toBe(first.traceHash);
    expect(second.virtualMs).toBe(first.virtualMs);
    expect((await simulate(simulationOf(4243))).traceHash).not.toBe(first.traceHash);
  }, 120_000);
});

describe('crash points', () => {
  test.each(crashSubjects)(
    '$name: the $victim dies at any store call, and the outcome is that of one application',
    async (subject) => {
      const report = await explore(subject);
      expect(report.wrong).toEqual([]);
      expect(report.pointCount).toBeGreaterThan(0);
    },
    120_000,
  );
});
