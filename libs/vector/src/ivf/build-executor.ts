import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { LagoonError } from '@lagoon/base';
import { type BuildTask, runBuildTask } from './build-tasks.ts';
import { instantiateBuild } from './build-wasm.ts';

/** Runs the tasks of builds. */
export interface BuildExecutor {
  /** Tasks that run beside each other. */
  readonly threadCount: number;
  /** Resolves when all are done; tasks of a call may run in any order and at the same time. */
  run(memory: WebAssembly.Memory, tasks: readonly BuildTask[]): Promise<void>;
  close(): Promise<void>;
}

/** On the calling thread. */
export function createInlineExecutor(module: WebAssembly.Module): BuildExecutor {
  const instances = new WeakMap<WebAssembly.Memory, ReturnType<typeof instantiateBuild>>();
  return {
    threadCount: 1,
    run: async (memory, tasks) => {
      const wasm = instances.get(memory) ?? instantiateBuild(module, memory);
      instances.set(memory, wasm);
      for (const task of tasks) runBuildTask(wasm, memory, task);
    },
    close: async () => {},
  };
}

/** What a worker is sent. */
export interface WorkerTask {
  readonly memory: WebAssembly.Memory;
  readonly task: BuildTask;
}

/** What it answers: nothing, or the message of what failed. */
export interface WorkerAnswer {
  readonly failure?: string;
}

/** On worker threads, which live until `close`. */
export function createThreadExecutor(module: WebAssembly.Module, threadCount: number): BuildExecutor {
  const url = new URL('../ivf-build-worker.ts', import.meta.url);
  const workers = Array.from(
    { length: threadCount },
    () => new Worker(url, { workerData: module, name: 'lagoon-ivf' }),
  );
  for (const worker of workers) worker.setMaxListeners(0);
  return {
    threadCount,
    run: async (memory, tasks) => {
      let next = 0;
      const drain = async (worker: Worker): Promise<void> => {
        for (let task = tasks[next++]; task !== undefined; task = tasks[next++]) await runOn(worker, { memory, task });
      };
      await Promise.all(workers.map(drain));
    },
    close: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}

async function runOn(worker: Worker, task: WorkerTask): Promise<void> {
  const ended = new AbortController();
  const exit = once(worker, 'exit', { signal: ended.signal }).then(() => {
    throw new LagoonError('unavailable', 'a thread that builds an index ended');
  });
  try {
    const answer = once(worker, 'message', { signal: ended.signal });
    worker.postMessage(task);
    const [{ failure }] = (await Promise.race([answer, exit])) as [WorkerAnswer];
    if (failure !== undefined)
      throw new LagoonError('internal', 'a part of an index build failed', { context: { failure } });
  } finally {
    ended.abort();
    exit.catch(() => {});
  }
}
