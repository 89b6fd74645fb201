import { describe, expect, test } from '@jest/globals';
import { createSystemClock, createSystemRandom } from '@lagoon/base';
import { defaultClusterOptions } from '../sim/cluster.ts';
import { createWorld, drive, sleepVirtual, type World } from '../sim/world.ts';
import { fromJsonText, toJsonText } from './dialect-printer.ts';
import { createPlayCounts, type OracleTarget, playRandom } from './play-random.ts';

/**
 * Random documents, writes and queries through the gateway of a whole Lagoon in one process, in virtual time: rows lie in the tail, in
 * fresh and in merged segments, in branches with writes on both sides, in what was restored. Every answer is brute force's.
 */
const fixedSeeds = [1, 2, 3, 4];
const newSeedsForMs = 8_000;
const play = { stepCount: 40, queriesPerStep: 6 };

function targetOf(world: World): OracleTarget {
  const call: OracleTarget['call'] = async (method, path, body) => {
    const bytes = new TextEncoder().encode(body === undefined ? '' : toJsonText(body));
    const headers = { 'content-type': 'application/json' };
    const request = { method, path, query: '', headers, body: bytes };
    const response = await drive(world, () => world.cluster.send(request, new AbortController().signal));
    return { status: response.status, json: fromJsonText(new TextDecoder().decode(response.body)) };
  };
  return {
    call,
    settle: async (namespace) => {
      for (let attempt = 0; attempt < 100; attempt++) {
        await sleepVirtual(world, 2_000);
        const { json } = await call('GET', `/v2/namespaces/${namespace}/metadata`);
        const { index } = json as { readonly index?: { readonly status?: string } };
        if (index?.status === 'up-to-date') return;
      }
      throw new Error(`${namespace} is never indexed`);
    },
  };
}

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
      await playRandom(targetOf(world), { ...play, seed, isOver }, counts);
      merges += world.cluster.counted.get('lagoon_compactor_merges_total committed') ?? 0;
    };
    for (const seed of fixedSeeds) await run(seed);
    while (clock.monotonicMs() < untilMs) {
      const seed = random.integer(2 ** 31);
      process.stdout.write(`oracle in every layout: seed ${seed}\n`);
      await run(seed);
    }
    process.stdout.write(`oracle in every layout: ${JSON.stringify({ ...counts, merges })}\n`);
    expect(merges).toBeGreaterThan(0);
    for (const kind of ['branch', 'restore', 'settle', 'patchByFilter'])
      expect([kind, counts.steps[kind]]).not.toEqual([kind, undefined]);
  }, 60_000);
});
