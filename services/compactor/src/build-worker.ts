import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '@lagoon/base';
import { createFileScratch, type ReadRange, type ScratchFile } from '@lagoon/segment';
import {
  type BuildTask,
  type BuildWorkerStart,
  type FromBuildWorker,
  fromPlainError,
  type ToBuildWorker,
  toPlainError,
} from './build-messages.ts';
import { runBlockTask, runMergeTask, runSegmentTask } from './build-tasks.ts';

/** Main module of a build worker thread: one task at a time. Ranges of segments are read by the thread that has the store. */
assert(parentPort !== null, 'a build worker is a worker thread');
const port = parentPort;
const { scratchDirectory, scratchBytesMax } = workerData as BuildWorkerStart;

interface Need {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: Error) => void;
}
const needs = new Map<number, Need>();
let needCount = 0;
let merged: { readonly file: ScratchFile; readonly close: () => void } | undefined;

function send(message: FromBuildWorker, transfer: readonly Uint8Array[] = []): void {
  port.postMessage(
    message,
    transfer.map((bytes) => bytes.buffer as ArrayBuffer),
  );
}

/** Only bytes that fill their buffer can be handed on without a copy. */
function owned(bytes: Uint8Array): Uint8Array[] {
  return bytes.byteLength === bytes.buffer.byteLength ? [bytes] : [];
}

function readerOf(segment: number): ReadRange {
  return (start, end) =>
    new Promise((resolve, reject) => {
      const needId = needCount++;
      needs.set(needId, { resolve, reject });
      send({ kind: 'need', needId, segment, start, end });
    });
}

async function run(task: BuildTask): Promise<void> {
  switch (task.kind) {
    case 'block': {
      const bytes = runBlockTask(task);
      send({ kind: 'block', bytes }, owned(bytes));
      return;
    }
    case 'segment': {
      const written = await runSegmentTask(task);
      send({ kind: 'segment', written }, owned(written.bytes));
      return;
    }
    case 'merge': {
      const scratch = createFileScratch(scratchDirectory, scratchBytesMax);
      try {
        const segments = task.segments.map((segment, index) => ({ ...segment, read: readerOf(index) }));
        const done = await runMergeTask({ ...task, segments }, scratch);
        if (done === undefined) scratch.close();
        else merged = { file: done.file, close: () => scratch.close() };
        send({ kind: 'merged', result: done?.result });
      } catch (error) {
        scratch.close();
        throw error;
      }
    }
  }
}

function handle(message: ToBuildWorker): void {
  switch (message.kind) {
    case 'task':
      run(message.task).catch((error: unknown) => send({ kind: 'failed', error: toPlainError(error) }));
      return;
    case 'range':
    case 'noRange': {
      const need = needs.get(message.needId);
      needs.delete(message.needId);
      if (message.kind === 'range') need?.resolve(message.bytes);
      else need?.reject(fromPlainError(message.error));
      return;
    }
    case 'read':
      try {
        assert(merged !== undefined, 'what was merged is read before it is dropped');
        const bytes = merged.file.read(message.start, message.end);
        send({ kind: 'bytes', bytes }, owned(bytes));
      } catch (error) {
        send({ kind: 'failed', error: toPlainError(error) });
      }
      return;
    case 'drop':
      merged?.close();
      merged = undefined;
  }
}

port.on('message', handle);
