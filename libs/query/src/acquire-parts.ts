import type { BlockCache, BlockLoader, PinnedBlock } from '@lagoon/cache';

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

export interface AcquireDeps {
  readonly cache: BlockCache;
  readonly onAcquired: (hit: boolean) => void;
}

/** Parts of one section of a segment, by their places in a list. */
export interface PartReads {
  keyOf(part: number): string;
  /** In bytes. */
  sizeOf(part: number): number;
  /** The absent parts as they are read together; given in ascending order. */
  runsOf(absent: readonly number[]): readonly (readonly number[])[];
  /** The bytes of each part of a run. */
  readRun(run: readonly number[], signal: AbortSignal): Promise<readonly Uint8Array[]>;
}

/**
 * Parts in the arena, in the order of `parts`, which ascend. Each is a block of the cache of its own; those that are absent are read by runs. They
 * are the pin list's, also where one of them fails.
 */
export async function acquireParts(
  deps: AcquireDeps,
  parts: readonly number[],
  reads: PartReads,
  pins: PinList,
  signal?: AbortSignal,
): Promise<readonly PinnedBlock[]> {
  const wanted = new Map<number, Wanted>();
  const loaderOf =
    (part: number): BlockLoader =>
    (target, inner) =>
      new Promise((resolve, reject) => void wanted.set(part, { target, signal: inner, resolve, reject }));
  const acquired = parts.map((part) =>
    deps.cache.acquire(reads.keyOf(part), reads.sizeOf(part), loaderOf(part), signal),
  );
  // every loader that is needed has been called
  for (const run of reads.runsOf([...wanted.keys()])) {
    void readRun(
      reads,
      run,
      run.map((part) => wanted.get(part) as Wanted),
    );
  }
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
  if (blocks.length < parts.length) throw failure;
  return blocks;
}

interface Wanted {
  readonly target: Uint8Array;
  readonly signal: AbortSignal;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Given up when nobody waits for any of its parts. */
async function readRun(reads: PartReads, run: readonly number[], wanted: readonly Wanted[]): Promise<void> {
  const controller = new AbortController();
  let waitingCount = wanted.length;
  for (const { signal } of wanted) {
    signal.addEventListener('abort', () => {
      if (--waitingCount === 0) controller.abort(signal.reason);
    });
  }
  try {
    const parts = await reads.readRun(run, controller.signal);
    for (const [i, { target, resolve }] of wanted.entries()) {
      target.set(parts[i] as Uint8Array);
      resolve();
    }
  } catch (error) {
    for (const { reject } of wanted) reject(error);
  }
}
