import { assert, createSemaphore, LagoonError, type Log } from '@lagoon/base';
import type { BuildPool } from './build-pool.ts';
import { type Answer, type BuildWorkerSlot, createBuildWorkerSlot } from './build-worker-slot.ts';

export interface WorkerBuildPoolOptions {
  readonly workerCount: number;
  /** Where merges put what does not fit into memory, made when it is missing. */
  readonly scratchDirectory: string;
  /** Of each worker. */
  readonly scratchBytesMax: number;
  /** Of each worker's JavaScript heap. */
  readonly heapBytesMax?: number;
  /** Where the worker's main module lies, in a bundle. */
  readonly workerUrl?: URL;
}

const heapBytesDefault = 512 << 20;
const waitingCountMax = 256;

/** Builds in worker threads, started when there is something to build; first come, first served. */
export function createWorkerBuildPool(log: Log, options: WorkerBuildPoolOptions): BuildPool {
  const { workerCount, scratchDirectory, scratchBytesMax, heapBytesMax = heapBytesDefault } = options;
  const workerUrl = options.workerUrl ?? new URL('./build-worker.ts', import.meta.url);
  const idle = Array.from({ length: workerCount }, () =>
    createBuildWorkerSlot(log, { workerUrl, scratchDirectory, scratchBytesMax, heapBytesMax }),
  );
  const slots = [...idle];
  const turns = createSemaphore({ name: 'build workers', permitCount: workerCount, waitingCountMax });
  let isClosed = false;

  const takeSlot = async (signal?: AbortSignal): Promise<Disposable & { readonly slot: BuildWorkerSlot }> => {
    const permit = await turns.acquire(signal);
    const slot = idle.pop();
    if (isClosed || slot === undefined) {
      permit[Symbol.dispose]();
      throw new LagoonError('unavailable', 'build pool is closing');
    }
    return {
      slot,
      [Symbol.dispose]: () => {
        idle.push(slot);
        permit[Symbol.dispose]();
      },
    };
  };

  return {
    buildBlock: async (task, signal) => {
      using taken = await takeSlot(signal);
      const sources = task.sources.map(({ bytes, live }) => ({ bytes: alone(bytes), live: live && alone(live) }));
      const answer = await taken.slot.ask({ kind: 'task', task: { ...task, kind: 'block', sources } }, [], signal);
      return expect(answer, 'block').bytes;
    },
    buildSegment: async (task, signal) => {
      using taken = await takeSlot(signal);
      const block = alone(task.block);
      const answer = await taken.slot.ask({ kind: 'task', task: { ...task, kind: 'segment', block } }, [], signal);
      return expect(answer, 'segment').written;
    },
    mergeSegments: async (task, signal) => {
      const taken = await takeSlot(signal);
      const { slot } = taken;
      try {
        const reads = task.segments.map((segment) => segment.read);
        const segments = task.segments.map(({ read: _read, dead, ...segment }) => ({
          ...segment,
          dead: dead && alone(dead),
        }));
        const message = { kind: 'task', task: { ...task, kind: 'merge', segments } } as const;
        const { result } = expect(await slot.ask(message, reads, signal), 'merged');
        if (result === undefined) {
          taken[Symbol.dispose]();
          return undefined;
        }
        return {
          ...result,
          read: async (start, end) => expect(await slot.ask({ kind: 'read', start, end }, [], signal), 'bytes').bytes,
          [Symbol.asyncDispose]: async () => {
            slot.tell({ kind: 'drop' });
            taken[Symbol.dispose]();
          },
        };
      } catch (error) {
        taken[Symbol.dispose]();
        throw error;
      }
    },
    close: async () => {
      isClosed = true;
      await Promise.all(slots.map((slot) => slot.close()));
    },
  };
}

/** A message carries the whole buffer of an array: of one that has a part of it, a copy is sent. */
function alone(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

function expect<K extends Answer['kind']>(answer: Answer, kind: K): Extract<Answer, { readonly kind: K }> {
  assert(answer.kind === kind, 'a build worker answers what it was asked');
  return answer as Extract<Answer, { readonly kind: K }>;
}
