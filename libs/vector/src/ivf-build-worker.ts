import { parentPort, workerData } from 'node:worker_threads';
import { assert, toLagoonError } from '@lagoon/base';
import type { WorkerAnswer, WorkerTask } from './ivf/build-executor.ts';
import { runBuildTask } from './ivf/build-tasks.ts';
import { type BuildWasm, instantiateBuild } from './ivf/build-wasm.ts';

/** Main module of a thread that runs tasks of builds: one at a time, each answered by a message. */
assert(parentPort !== null, 'a build worker is a worker thread');
const port = parentPort;
const module = workerData as WebAssembly.Module;
const instances = new WeakMap<object, BuildWasm>();

port.on('message', ({ memory, task }: WorkerTask) => {
  port.postMessage(answer(memory, task));
});

function answer(memory: WebAssembly.Memory, task: WorkerTask['task']): WorkerAnswer {
  try {
    memory.grow(0); // looks at how long it has become
    const wasm = instances.get(memory) ?? instantiateBuild(module, memory);
    instances.set(memory, wasm);
    runBuildTask(wasm, memory, task);
    return {};
  } catch (error) {
    return { failure: toLagoonError(error).message };
  }
}
