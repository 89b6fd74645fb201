import { Worker } from 'node:worker_threads';
import { assert, LagoonError, type Log } from '@lagoon/base';
import type { Arena, ScratchRegion } from '@lagoon/vector';
import type { SearchOutcome } from './job-block.ts';
import type { SearchContextOptions } from './search-context.ts';
import type { SearchRequest } from './search-pool.ts';
import type { FromWorker, PlainError, ToWorker, WorkerStart } from './worker-message.ts';

/** One place for a worker thread: started at its first job, started again after it died. Runs one job at a time. */
export interface WorkerSlot {
  readonly busy: boolean;
  /** Only while not busy. Settles when the worker reads the request's blocks no more, which an abort makes sooner. */
  run(request: SearchRequest, signal?: AbortSignal): Promise<SearchOutcome>;
  forgetSnapshot(snapshotId: number): void;
  forgetBlock(blockId: number): void;
  close(): Promise<void>;
}

export interface WorkerSlotDeps {
  readonly arena: Arena;
  /** This slot's own part of the arena's scratch. */
  readonly scratch: ScratchRegion;
  /** Compiled once for all workers. */
  readonly loadModule: () => WebAssembly.Module;
  readonly workerUrl: URL;
  readonly log: Log;
}

interface RunningWorker {
  readonly worker: Worker;
  /** Byte lengths of the memories as announced. */
  readonly memoryBytes: number[];
  readonly snapshotIds: Set<number>;
}

interface RunningJob {
  readonly resolve: (outcome: SearchOutcome) => void;
  readonly reject: (error: LagoonError) => void;
}

/** Ids that wait to be forgotten with the next job; then they are sent at once. */
const goneCountMax = 1024;

export function createWorkerSlot(deps: WorkerSlotDeps, options: SearchContextOptions): WorkerSlot {
  const { arena, log } = deps;
  let running: RunningWorker | undefined;
  let job: RunningJob | undefined;
  /** The number of the job that nobody waits for any more; the worker looks at it while it works. */
  const cancelled = new Int32Array(new SharedArrayBuffer(4));
  let jobNumber = 0;
  let gone: { readonly snapshotIds: number[]; readonly blockIds: number[] } = { snapshotIds: [], blockIds: [] };

  const start = (): RunningWorker => {
    const workerData: WorkerStart = { module: deps.loadModule(), options, cancelled };
    const started: RunningWorker = {
      worker: new Worker(deps.workerUrl, { workerData, name: 'lagoon-search' }),
      memoryBytes: [],
      snapshotIds: new Set(),
    };
    gone = { snapshotIds: [], blockIds: [] };
    started.worker.on('message', (message: FromWorker) => {
      if (running === started) settle(message); // the last word of one that died is not about the job of the next
    });
    started.worker.on('error', (error) => died(started, error.message));
    started.worker.on('exit', (code) => died(started, `exit code ${code}`));
    started.worker.unref(); // an idle worker does not keep the process alive; a job's caller does
    return started;
  };
  const settle = (message: FromWorker): void => {
    const done = job;
    job = undefined;
    running?.worker.unref();
    if (message.kind === 'done') done?.resolve(message.outcome);
    else done?.reject(fromPlainError(message.error));
  };
  const died = (started: RunningWorker, cause: string): void => {
    if (running !== started) return;
    running = undefined;
    const failed = job;
    job = undefined;
    log.error('search worker stopped', { cause, hadJob: failed !== undefined });
    failed?.reject(new LagoonError('unavailable', 'search worker stopped', { context: { cause } }));
  };
  const flushGone = (to: RunningWorker): void => {
    if (gone.snapshotIds.length + gone.blockIds.length === 0) return;
    const message: ToWorker = { kind: 'forget', ...gone };
    to.worker.postMessage(message);
    gone = { snapshotIds: [], blockIds: [] };
  };
  const announce = (to: RunningWorker, request: SearchRequest): void => {
    const send = (message: ToWorker): void => to.worker.postMessage(message);
    for (const [memoryIndex, memory] of arena.memories.entries()) {
      const { byteLength } = memory.buffer;
      if (to.memoryBytes[memoryIndex] === byteLength) continue;
      to.memoryBytes[memoryIndex] = byteLength;
      send({ kind: 'memory', memoryIndex, memory, scratch: deps.scratch });
    }
    flushGone(to);
    if (!to.snapshotIds.has(request.snapshotId)) {
      to.snapshotIds.add(request.snapshotId);
      send({ kind: 'snapshot', snapshotId: request.snapshotId, blocks: request.blocks });
    }
  };

  return {
    get busy() {
      return job !== undefined;
    },
    run: async (request, signal) => {
      assert(job === undefined, 'a worker has one job at a time');
      running ??= start();
      const { worker } = running;
      announce(running, request);
      const { rank, filter, limit, indexed, known, step, traced, snapshotId } = request;
      const number = ++jobNumber;
      const message: ToWorker = { kind: 'job', number, snapshotId, rank, filter, limit, indexed, known, step, traced };
      const onAbort = (): void => void Atomics.store(cancelled, 0, number);
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        return await new Promise((resolve, reject) => {
          job = { resolve, reject };
          worker.ref();
          worker.postMessage(message);
        });
      } finally {
        signal?.removeEventListener('abort', onAbort);
      }
    },
    forgetSnapshot: (snapshotId) => {
      if (running === undefined || !running.snapshotIds.delete(snapshotId)) return;
      gone.snapshotIds.push(snapshotId);
      if (gone.snapshotIds.length >= goneCountMax) flushGone(running);
    },
    forgetBlock: (blockId) => {
      if (running === undefined) return;
      gone.blockIds.push(blockId);
      if (gone.blockIds.length >= goneCountMax) flushGone(running);
    },
    close: async () => {
      const closing = running;
      running = undefined;
      await closing?.worker.terminate(); // only then nobody reads the job's blocks
      job?.reject(new LagoonError('unavailable', 'search pool is closing'));
      job = undefined;
    },
  };
}

function fromPlainError({ code, message, reason, context }: PlainError): LagoonError {
  const error = new LagoonError(code, message, reason === undefined ? {} : { reason });
  return Object.assign(error, { context }); // the message holds the context already
}
