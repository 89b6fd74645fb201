import { expect, test } from '@jest/globals';
import { createSystemClock } from '@lagoon/base';
import { drawSeed, runChaos } from './chaos.ts';
import { storeNames } from './shared-store.ts';

const roundMs = 24_000;

test.each(storeNames)(
  'real processes on %s, killed, paused and cut off: nothing acknowledged is lost and no read is wrong',
  async (store) => {
    const seed = drawSeed();
    process.stdout.write(`chaos on ${store}: seed ${seed}\n`);
    const options = { store, seed, roundCount: 1, roundMs, untilIndexed: false };
    const { wrong, counts, logs } = await runChaos(createSystemClock(), options);
    if (wrong.length > 0) process.stderr.write(`${logs}\n`);
    expect({ seed, wrong: wrong.slice(0, 20) }).toEqual({ seed, wrong: [] });
    const sum = (prefix: string) =>
      [...counts].reduce((total, [what, n]) => total + (what.startsWith(prefix) ? n : 0), 0);
    for (const what of ['kill', 'pause', 'writes acknowledged', 'reads', 'entry batch'])
      expect([what, sum(what)]).not.toEqual([what, 0]);
  },
  180_000,
);
