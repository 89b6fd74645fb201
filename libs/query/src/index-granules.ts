import type { PinnedBlock } from '@lagoon/cache';
import type { AttributeIndex } from '@lagoon/segment';
import { type AcquireDeps, acquireParts, type PinList } from './acquire-parts.ts';

/** Granules of an index in the arena, in the order of `granules`, which ascend; those that are absent are read together where they are neighbours. */
export async function acquireGranules(
  deps: AcquireDeps,
  keyPrefix: string,
  index: AttributeIndex,
  granules: readonly number[],
  pins: PinList,
  signal?: AbortSignal,
): Promise<readonly PinnedBlock[]> {
  const reads = {
    keyOf: (granule: number) => `${keyPrefix} ${granule}`,
    sizeOf: (granule: number) => index.granuleSize(granule),
    runsOf: neighbours,
    readRun: async (run: readonly number[], inner: AbortSignal) => {
      const from = run[0] ?? 0;
      const bytes = await index.readGranules({ from, to: from + run.length }, inner);
      let end = 0;
      return run.map((granule) => {
        const start = end;
        end += index.granuleSize(granule);
        return bytes.subarray(start, end);
      });
    },
  };
  return await acquireParts(deps, granules, reads, pins, signal);
}

function neighbours(granules: readonly number[]): readonly (readonly number[])[] {
  const runs: number[][] = [];
  for (const granule of granules) {
    const run = runs.at(-1);
    if (run !== undefined && run.at(-1) === granule - 1) run.push(granule);
    else runs.push([granule]);
  }
  return runs;
}
