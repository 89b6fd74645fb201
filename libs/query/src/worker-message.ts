import type { ErrorCode, ErrorContext, ErrorReason } from '@lagoon/base';
import type { ScratchRegion } from '@lagoon/vector';
import type { BlockLocation, SearchOutcome } from './job-block.ts';
import type { SearchContextOptions } from './search-context.ts';
import type { SearchJob } from './search-job.ts';

/** What a search worker is started with. */
export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly options: SearchContextOptions;
  /** Shared: the number of a job that is to end soon. */
  readonly cancelled: Int32Array;
}

/** From the owner to a worker, in order. */
export type ToWorker =
  /** A memory of the arena, before the first job with a block in it, and again when it has grown. */
  | {
      readonly kind: 'memory';
      readonly memoryIndex: number;
      readonly memory: WebAssembly.Memory;
      readonly scratch: ScratchRegion;
    }
  | { readonly kind: 'snapshot'; readonly snapshotId: number; readonly blocks: readonly BlockLocation[] }
  | { readonly kind: 'forget'; readonly snapshotIds: readonly number[]; readonly blockIds: readonly number[] }
  | ({ readonly kind: 'job'; readonly number: number; readonly snapshotId: number } & Omit<SearchJob, 'blocks'>);

/** The answer to a job; a worker has one at a time. */
export type FromWorker =
  | { readonly kind: 'done'; readonly outcome: SearchOutcome }
  | { readonly kind: 'failed'; readonly error: PlainError };

/** A LagoonError as plain data. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly reason: ErrorReason | undefined;
  readonly context: ErrorContext;
}
