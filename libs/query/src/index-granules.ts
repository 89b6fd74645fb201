import type { BlockCache, BlockLoader, PinnedBlock } from '@lagoon/cache';
import type { AttributeIndex } from '@lagoon/segment';

/** What was pinned for one query, let go together. */
export interface PinList extends Disposable {
  add(pinned: PinnedBlock): void;
}

export function createPinList(): PinList {
  const pins: PinnedBlock[] = [];
  return {
    add: (pinned) => void pins.push(pinned),
    [Symbol.dispose]: () => {
      for (const pinned of pins.splice(0)) pinned[Symbol.dispose]();
    },
  };
}

export interface IndexGranulesDeps {
  readonly cache: BlockCache;
  readonly onAcquired: (hit: boolean) => void;
}

/**
 * Granules of an index in the arena, in the order of `granules`, which ascend. Each is a block of the cache of its own; those
 * that are absent are read together where they are neighbours. They are the pin list's, also where one of them fails.
 */
export async function acquireGranules(
  deps: IndexGranulesDeps,
  keyPrefix: string,
  index: AttributeIndex,
  granules: readonly number[],
  pins: PinList,
  signal?: AbortSignal,
): Promise<readonly PinnedBlock[]> {
  const reads = createGatheredReads(index);
  const acquired = granules.map((granule) =>
    deps.cache.acquire(`${keyPrefix} ${granule}`, index.granuleSize(granule), reads.loaderOf(granule), signal),
  );
  reads.start(); // every loader that is needed has been called
  const settled = await Promise.allSettled(acquired);
  const blocks: PinnedBlock[] = [];
  let failure: unknown;
  for (const one of settled) {
    if (one.status === 'rejected') failure ??= one.reason;
    else {
      pins.add(one.value);
      deps.onAcquired(one.value.hit);
      blocks.push(one.value);
    }
  }
  if (blocks.length < granules.length) throw failure;
  return blocks;
}

interface Wanted {
  readonly granule: number;
  readonly target: Uint8Array;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

function createGatheredReads(index: AttributeIndex): { loaderOf(granule: number): BlockLoader; start(): void } {
  const wanted: Wanted[] = [];
  return {
    loaderOf: (granule) => (target, signal) =>
      new Promise((resolve, reject) => void wanted.push({ granule, target, signal, resolve, reject })),
    start: () => {
      for (let from = 0; from < wanted.length; ) {
        let to = from + 1;
        while (to < wanted.length && wanted[to]?.granule === (wanted[to - 1]?.granule ?? 0) + 1) to++;
        void readRun(index, wanted.slice(from, to));
        from = to;
      }
    },
  };
}

/** One read for neighbours; given up when nobody waits for any of them. */
async function readRun(index: AttributeIndex, run: readonly Wanted[]): Promise<void> {
  const controller = new AbortController();
  let waitingCount = run.length;
  for (const { signal } of run) {
    signal.addEventListener('abort', () => {
      if (--waitingCount === 0) controller.abort(signal.reason);
    });
  }
  try {
    const from = run[0]?.granule ?? 0;
    const bytes = await index.readGranules({ from, to: from + run.length }, controller.signal);
    let offset = 0;
    for (const { target, resolve } of run) {
      target.set(bytes.subarray(offset, offset + target.length));
      offset += target.length;
      resolve();
    }
  } catch (error) {
    for (const { reject } of run) reject(error);
  }
}
