import { describe, expect, test } from '@jest/globals';
import { createSystemClock, createSystemRandom } from '@lagoon/base';
import { defaultClusterOptions } from '../sim/cluster.ts';
import { createWorld } from '../sim/world.ts';
import { createPlayCounts, playRandom } from './play-random.ts';
import { simulatedTarget } from './simulated-target.ts';

/**
 * Random documents, writes and queries through the gateway of a whole Lagoon in one process, in virtual time: rows lie in the tail, in
 * fresh and in merged segments, in branches with writes on both sides, in what was restored. Every answer is brute force's.
 */
const fixedSeeds = [1, 2, 3, 4];
const newSeedsForMs = 8_000;
const play = { stepCount: 40, queriesPerStep: 6 };

describe('exact queries in every layout', () => {
  test('are those of brute force', async () => {
    const clock = createSystemClock();
    const untilMs = clock.monotonicMs() + newSeedsForMs;
    const random = createSystemRandom();
    const counts = createPlayCounts();
    let merges = 0;
    const run = async (seed: number): Promise<void> => {
      // Merges of their own, and those that index jobs do.
      const merging = { mergeFanIn: 2, ...(seed % 2 === 0 ? { absorbBytesMax: 0 } : {}) };
      const compactor = { ...defaultClusterOptions.compactor, ...merging };
      const world = createWorld(seed, { ...defaultClusterOptions, compactor });
      const isOver = () => !fixedSeeds.includes(seed) && clock.monotonicMs() > untilMs;
      await playRandom(simulatedTarget(world), { ...play, seed, isOver }, counts);
      merges += world.cluster.counted.get('lagoon_compactor_merges_total committed') ?? 0;
    };
    for (const seed of fixedSeeds) await run(seed);
    do {
      const seed = random.integer(2 ** 31);
      process.stdout.write(`oracle in every layout: seed ${seed}\n`);
      await run(seed);
    } while (clock.monotonicMs() < untilMs);
    process.stdout.write(`oracle in every layout: ${JSON.stringify({ ...counts, merges })}\n`);
    expect(merges).toBeGreaterThan(0);
    for (const kind of ['branch', 'restore', 'settle', 'patchByFilter'])
      expect([kind, counts.steps[kind]]).not.toEqual([kind, undefined]);
  }, 60_000);
});
