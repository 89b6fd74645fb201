import { parentPort, workerData } from 'node:worker_threads';
import { assert, LagoonError, toLagoonError } from '@lagoon/base';
import type { BlockLocation } from './job-block.ts';
import { createSearchContext, type SearchMemory } from './search-context.ts';
import { runSearchJob } from './search-job.ts';
import type { FromWorker, PlainError, ToWorker, WorkerStart } from './worker-message.ts';

/** Main module of a search worker thread: one job at a time, in the order of the messages. */
assert(parentPort !== null, 'a search worker is a worker thread');
const port = parentPort;
const { module, options, cancelled } = workerData as WorkerStart;
const memories = new Map<number, SearchMemory>();
const snapshots = new Map<number, readonly BlockLocation[]>();
const context = createSearchContext(
  module,
  (memoryIndex) => {
    const memory = memories.get(memoryIndex);
    assert(memory !== undefined, 'a memory is announced before its blocks');
    return memory;
  },
  options,
);

function handle(message: ToWorker): void {
  switch (message.kind) {
    case 'memory':
      memories.set(message.memoryIndex, { memory: message.memory, scratch: message.scratch });
      context.forgetMemory(message.memoryIndex);
      return;
    case 'snapshot':
      snapshots.set(message.snapshotId, message.blocks);
      return;
    case 'forget':
      for (const snapshotId of message.snapshotIds) snapshots.delete(snapshotId);
      context.forgetBlocks(message.blockIds);
      return;
    case 'job':
      answer(message);
  }
}

function answer(message: Extract<ToWorker, { readonly kind: 'job' }>): void {
  try {
    const blocks = snapshots.get(message.snapshotId);
    assert(blocks !== undefined, 'a snapshot is announced before its jobs');
    const { number, rank, filter, limit, indexed, known, step, traced } = message;
    const checkCancelled = (): void => {
      if (Atomics.load(cancelled, 0) === number) throw new LagoonError('cancelled', 'nobody waits for the search');
    };
    const job = { rank, filter, limit, indexed, known, step, traced, blocks };
    send({ kind: 'done', outcome: runSearchJob(context, job, checkCancelled) });
  } catch (error) {
    send({ kind: 'failed', error: toPlainError(error) });
  }
}

function send(answerMessage: FromWorker): void {
  port.postMessage(answerMessage);
}

function toPlainError(error: unknown): PlainError {
  const { code, message, reason, context: values } = toLagoonError(error);
  return { code, message, reason, context: values };
}

port.on('message', handle);
