import { LagoonError, mapBounded } from '@lagoon/base';
import type { LogContext } from './context.ts';
import { logKey } from './keys.ts';
import { windowMax } from './walk.ts';

const probesPerRound = 16;
const roundCountMax = 64;

/**
 * The largest generation that exists, given one that does: steps that double, then a search with 16 probes at a time.
 * About three round trips up to 65,000 generations. Above the floor generations have no gaps; below it the answer means nothing.
 */
export async function gallop(context: LogContext, name: string, known: number, signal?: AbortSignal): Promise<number> {
  let present = known;
  let absent: number | undefined;
  for (let round = 0; round < roundCountMax; round++) {
    if (absent === present + 1) return present;
    const candidates = absent === undefined ? doubling(present, round) : spread(present, absent);
    const found = await mapBounded(
      candidates,
      windowMax,
      (generation, _, inner) => exists(context, name, generation, inner),
      signal,
    );
    const firstAbsent = found.indexOf(false);
    if (firstAbsent !== -1) absent = candidates[firstAbsent];
    present = candidates[(firstAbsent === -1 ? candidates.length : firstAbsent) - 1] ?? present;
  }
  throw new LagoonError('unavailable', 'the head moves faster than it can be found', { context: { namespace: name } });
}

function doubling(present: number, round: number): number[] {
  const first = 2 ** Math.min(round * probesPerRound, 32);
  return Array.from({ length: probesPerRound }, (_, index) => present + first * 2 ** index);
}

/** Evenly within (present, absent). */
function spread(present: number, absent: number): number[] {
  const count = Math.min(probesPerRound, absent - present - 1);
  return Array.from({ length: count }, (_, index) => {
    return present + Math.ceil(((index + 1) * (absent - present)) / (count + 1));
  }).map((generation) => Math.min(generation, absent - 1));
}

async function exists(context: LogContext, name: string, generation: number, signal?: AbortSignal): Promise<boolean> {
  const range = { start: 0, end: 1 };
  return (await context.store.get(logKey(name, generation), { range }, signal)) !== undefined;
}
