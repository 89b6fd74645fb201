import type { Clock } from '@lagoon/base';
import { createBreather } from '@lagoon/base';
import type { AttributeRange, Bitmap, Schema } from '@lagoon/format';
import {
  createMemoryScratch,
  type FooterPlace,
  type ReadRange,
  type SegmentIdentity,
  type WrittenSegment,
} from '@lagoon/segment';
import { runBlockTask, runMergeTask, runSegmentTask } from './build-tasks.ts';

/**
 * Where blocks and segments are built. `resource_exhausted` where scratch space is used up, `unavailable` where a worker died: the job fails and
 * is tried again.
 */
export interface BuildPool {
  /** One columnar block of the live rows of several. */
  buildBlock(task: BlockTask, signal?: AbortSignal): Promise<Uint8Array>;
  /** A segment's object of one columnar block. */
  buildSegment(task: SegmentTask, signal?: AbortSignal): Promise<BuiltSegment>;
  /** A segment's object of several, read by ranges: `undefined` where no row is live. Dispose of it when it is uploaded. */
  mergeSegments(task: MergeTask, signal?: AbortSignal): Promise<MergeOutput | undefined>;
  close(): Promise<void>;
}

export interface BlockTask {
  readonly sources: readonly { readonly bytes: Uint8Array; readonly live: Bitmap | undefined }[];
  readonly schema: Schema;
}

export interface SegmentTask {
  readonly block: Uint8Array;
  readonly schema: Schema;
  readonly identity: SegmentIdentity;
  readonly clusterRowCountMin: number;
}

export interface BuiltSegment extends WrittenSegment {
  /** Row per id, where rows are in another order than ids. */
  readonly rows: Uint32Array | undefined;
}

export interface MergeTask {
  readonly segments: readonly MergeTaskSegment[];
  readonly schema: Schema;
  readonly identity: SegmentIdentity;
  readonly clusterRowCountMin: number;
  readonly windowBytesMax: number;
}

export interface MergeTaskSegment {
  readonly key: string;
  readonly size: number;
  /** Undefined: a flat segment. */
  readonly footer: FooterPlace | undefined;
  /** Dead rows as they lie in the segment. */
  readonly dead: Bitmap | undefined;
  readonly read: ReadRange;
}

export interface MergeOutput extends MergeResult, AsyncDisposable {
  read(start: number, end: number): Promise<Uint8Array>;
}

export interface MergeResult {
  readonly byteLength: number;
  readonly sha256: Uint8Array;
  readonly footer: FooterPlace;
  readonly attributeRanges: readonly AttributeRange[];
  readonly rowCount: number;
  readonly logicalBytes: number;
  /** Per segment, per row: where the row lies now. */
  readonly rows: readonly Uint32Array[];
}

/** Builds on the caller's thread, in slices, with scratch space in memory: for tests and simulations. */
export function createInlineBuildPool(
  clock: Clock,
  options: { readonly computeSliceMs: number; readonly scratchBytesMax: number },
): BuildPool {
  const breather = (signal?: AbortSignal) => createBreather(clock, options.computeSliceMs, signal);
  return {
    buildBlock: async (task, signal) => {
      signal?.throwIfAborted();
      return runBlockTask(task);
    },
    buildSegment: (task, signal) => runSegmentTask(task, breather(signal)),
    mergeSegments: async (task, signal) => {
      const scratch = createMemoryScratch(options.scratchBytesMax);
      const merged = await runMergeTask(task, scratch, breather(signal), signal);
      if (merged === undefined) return undefined;
      return {
        ...merged.result,
        read: async (start, end) => merged.file.read(start, end),
        [Symbol.asyncDispose]: async () => scratch.close(),
      };
    },
    close: async () => {},
  };
}
