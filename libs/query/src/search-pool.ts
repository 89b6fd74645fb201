import { assert } from '@lagoon/base';
import { type Arena, loadKernelModule } from '@lagoon/vector';
import type { SearchOutcome } from './job-block.ts';
import { createSearchContext, type SearchContextOptions, searchScratchBytes } from './search-context.ts';
import { runSearchJob, type SearchJob } from './search-job.ts';

/** Where search jobs run. */
export interface SearchPool {
  /**
   * Runs a job. `hold` keeps its blocks pinned and becomes the pool's: it is disposed of when no thread reads the blocks any
   * more, which may be after the promise was rejected for the caller's abort.
   * `resource_exhausted` when the queue is full, `unavailable` when a worker died.
   */
  run(request: SearchRequest, hold: Disposable, signal?: AbortSignal): Promise<SearchOutcome>;
  /** Of a snapshot or block that nobody holds any more, so that nothing is kept for it. */
  forgetSnapshot(snapshotId: number): void;
  forgetBlock(blockId: number): void;
  close(): Promise<void>;
}

export interface SearchRequest extends SearchJob {
  /** The blocks are those of this snapshot: sent to a thread once. */
  readonly snapshotId: number;
  /** Requests of one affinity run on one thread, which keeps what it derived. */
  readonly affinity: string | undefined;
}

/** Runs every job at once on this thread: for tests and simulations. */
export function createInlinePool(arena: Arena, options: SearchContextOptions): SearchPool {
  assert(arena.scratch.size >= searchScratchBytes, 'arena has scratch for one search thread');
  let context: ReturnType<typeof createSearchContext> | undefined;
  return {
    run: async (request, hold, signal) => {
      using _hold = hold;
      signal?.throwIfAborted();
      context ??= createSearchContext(loadKernelModule(), (index) => memoryOf(arena, index), options);
      return runSearchJob(context, request, () => signal?.throwIfAborted());
    },
    forgetSnapshot: () => {},
    forgetBlock: (blockId) => context?.forgetBlocks([blockId]),
    close: async () => {},
  };
}

function memoryOf(arena: Arena, index: number) {
  const memory = arena.memories[index];
  assert(memory !== undefined, 'a block lies in a memory of the arena');
  return { memory, scratch: { offset: arena.scratch.offset, size: searchScratchBytes } };
}
