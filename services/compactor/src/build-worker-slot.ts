import { Worker } from 'node:worker_threads';
import { assert, LagoonError, type Log } from '@lagoon/base';
import type { ReadRange } from '@lagoon/segment';
import {
  type BuildWorkerStart,
  type FromBuildWorker,
  fromPlainError,
  type ToBuildWorker,
  toPlainError,
} from './build-messages.ts';

/** One place for a build worker: started at its first task, started again after it died. */
export interface BuildWorkerSlot {
  /**
   * Sends a message and waits for its answer; one at a time. Ranges that the worker needs are read through `reads`. An abort ends the worker,
   * and with it whatever it holds.
   */
  ask(message: ToBuildWorker, reads: readonly ReadRange[], signal?: AbortSignal): Promise<Answer>;
  /** Sends a message that has no answer; to a worker that has died there is nothing to say. */
  tell(message: ToBuildWorker): void;
  close(): Promise<void>;
}

export type Answer = Exclude<FromBuildWorker, { readonly kind: 'failed' | 'need' }>;

export interface BuildWorkerSlotOptions extends BuildWorkerStart {
  readonly workerUrl: URL;
  /** Of the JavaScript heap; arrays of bytes are beside it. */
  readonly heapBytesMax: number;
}

interface Question {
  readonly reads: readonly ReadRange[];
  readonly abandon: AbortController;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export function createBuildWorkerSlot(log: Log, options: BuildWorkerSlotOptions): BuildWorkerSlot {
  let running: Worker | undefined;
  let question: Question | undefined;

  const start = (): Worker => {
    const { scratchDirectory, scratchBytesMax } = options;
    const workerData: BuildWorkerStart = { scratchDirectory, scratchBytesMax };
    const worker = new Worker(options.workerUrl, {
      workerData,
      name: 'lagoon-build',
      resourceLimits: { maxOldGenerationSizeMb: Math.ceil(options.heapBytesMax / 2 ** 20) },
    });
    worker.on('message', (message: FromBuildWorker) => {
      if (running !== worker) return;
      if (message.kind === 'need') void supply(worker, message);
      else if (message.kind === 'failed') settle((asked) => asked.reject(fromPlainError(message.error)));
      else settle((asked) => asked.resolve(message));
    });
    worker.on('error', (error) => died(worker, error.message));
    worker.on('exit', (code) => died(worker, `exit code ${code}`));
    worker.unref(); // an idle worker does not keep the process alive; a task's caller does
    return worker;
  };

  const settle = (tell: (asked: Question) => void): void => {
    const asked = question;
    question = undefined;
    running?.unref();
    asked?.abandon.abort();
    if (asked !== undefined) tell(asked);
  };

  const died = (worker: Worker, cause: string): void => {
    if (running !== worker) return;
    running = undefined;
    log.error('build worker stopped', { cause, hadTask: question !== undefined });
    settle((asked) => asked.reject(new LagoonError('unavailable', 'build worker stopped', { context: { cause } })));
  };

  const end = async (reason: unknown): Promise<void> => {
    const ended = running;
    running = undefined;
    settle((asked) => asked.reject(reason));
    await ended?.terminate();
  };

  const supply = async (worker: Worker, need: Extract<FromBuildWorker, { readonly kind: 'need' }>): Promise<void> => {
    const asked = question;
    const send = (message: ToBuildWorker, transfer: ArrayBuffer[] = []): void => {
      if (running === worker && question === asked) worker.postMessage(message, transfer);
    };
    const { needId, start: from, end: to } = need;
    try {
      const read = asked?.reads[need.segment];
      assert(asked !== undefined && read !== undefined, 'a worker reads the segments of its task');
      const bytes = await read(from, to, asked.abandon.signal);
      const copy = bytes.slice();
      send({ kind: 'range', needId, bytes: copy }, [copy.buffer]);
    } catch (error) {
      send({ kind: 'noRange', needId, error: toPlainError(error) });
    }
  };

  return {
    ask: async (message, reads, signal) => {
      assert(question === undefined, 'a worker has one task at a time');
      signal?.throwIfAborted();
      running ??= start();
      const worker = running;
      const onAbort = (): void => void end(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        return await new Promise<Answer>((resolve, reject) => {
          question = { reads, abandon: new AbortController(), resolve, reject };
          worker.ref();
          worker.postMessage(message);
        });
      } finally {
        signal?.removeEventListener('abort', onAbort);
      }
    },
    tell: (message) => running?.postMessage(message),
    close: () => end(new LagoonError('unavailable', 'build pool is closing')),
  };
}
