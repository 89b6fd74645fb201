import { assert, LagoonError, type Log } from '@lagoon/base';
import { type Arena, loadKernelModule } from '@lagoon/vector';
import type { SearchOutcome } from './job-block.ts';
import { type SearchContextOptions, searchScratchBytes } from './search-context.ts';
import type { SearchPool, SearchRequest } from './search-pool.ts';
import { createWorkerSlot, type WorkerSlot } from './worker-slot.ts';

export interface WorkerPoolOptions extends SearchContextOptions {
  readonly workerCount: number;
  /** Requests that wait for a worker at most. */
  readonly queueCountMax?: number;
  /** Where the worker's main module lies, in a bundle. */
  readonly workerUrl?: URL;
}

interface Waiting {
  readonly request: SearchRequest;
  readonly hold: Disposable;
  readonly resolve: (outcome: SearchOutcome) => void;
  readonly reject: (error: unknown) => void;
  /** The only slot that may run it. */
  readonly slot: WorkerSlot | undefined;
  readonly signal: AbortSignal | undefined;
  readonly leave: () => void;
}

/**
 * Search in worker threads, started when there is work. First come, first served; requests of one affinity always go to one
 * worker, the others to any that is free.
 */
export function createWorkerPool(
  deps: { readonly arena: Arena; readonly log: Log },
  options: WorkerPoolOptions,
): SearchPool {
  const { arena, log } = deps;
  const { workerCount, queueCountMax = 256, workerUrl = new URL('./search-worker.ts', import.meta.url) } = options;
  assert(arena.scratch.size >= workerCount * searchScratchBytes, 'arena has scratch for every search worker');
  let module: WebAssembly.Module | undefined;
  const loadModule = (): WebAssembly.Module => {
    module ??= loadKernelModule();
    return module;
  };
  const slots = Array.from({ length: workerCount }, (_, index) => {
    const scratch = { offset: arena.scratch.offset + index * searchScratchBytes, size: searchScratchBytes };
    const { textIndexBytesMax } = options;
    return createWorkerSlot({ arena, scratch, loadModule, workerUrl, log }, { textIndexBytesMax });
  });
  const queue: Waiting[] = [];
  let closed = false;

  const dispatch = (): void => {
    for (let i = 0; i < queue.length; ) {
      const waiting = queue[i] as Waiting;
      const slot = waiting.slot ?? slots.find((candidate) => !candidate.busy);
      if (slot === undefined || slot.busy) {
        i++;
        continue;
      }
      queue.splice(i, 1);
      start(slot, waiting);
    }
  };
  const start = (slot: WorkerSlot, waiting: Waiting): void => {
    slot
      .run(waiting.request, waiting.signal)
      .finally(() => waiting.hold[Symbol.dispose]())
      .then(waiting.resolve, waiting.reject)
      .finally(() => {
        waiting.leave();
        dispatch();
      });
  };
  const slotOf = (affinity: string | undefined): WorkerSlot | undefined =>
    affinity === undefined ? undefined : slots[hashText(affinity) % slots.length];

  return {
    run: async (request, hold, signal) => {
      if (closed || signal?.aborted || queue.length >= queueCountMax) {
        hold[Symbol.dispose]();
        signal?.throwIfAborted();
        throw closed ? poolClosed() : queueFull(queue.length);
      }
      return new Promise<SearchOutcome>((resolve, reject) => {
        const leave = (): void => signal?.removeEventListener('abort', onAbort);
        const waiting: Waiting = { request, hold, resolve, reject, slot: slotOf(request.affinity), signal, leave };
        /** A job that runs keeps its blocks until its thread has seen that nobody waits for it. */
        const onAbort = (): void => {
          const index = queue.indexOf(waiting);
          if (index >= 0) {
            queue.splice(index, 1);
            hold[Symbol.dispose]();
          }
          reject(signal?.reason);
        };
        signal?.addEventListener('abort', onAbort, { once: true });
        queue.push(waiting);
        dispatch();
      });
    },
    forgetSnapshot: (snapshotId) => {
      for (const slot of slots) slot.forgetSnapshot(snapshotId);
    },
    forgetBlock: (blockId) => {
      for (const slot of slots) slot.forgetBlock(blockId);
    },
    close: async () => {
      closed = true;
      for (const waiting of queue.splice(0)) {
        waiting.leave();
        waiting.hold[Symbol.dispose]();
        waiting.reject(poolClosed());
      }
      await Promise.all(slots.map((slot) => slot.close()));
    },
  };
}

function poolClosed(): LagoonError {
  return new LagoonError('unavailable', 'search pool is closing');
}

function queueFull(waiting: number): LagoonError {
  return new LagoonError('resource_exhausted', 'too many queries wait for a search worker', {
    reason: 'backpressure',
    context: { waiting },
    retryAfterMs: 100,
  });
}

/** FNV-1a, 32 bits. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
