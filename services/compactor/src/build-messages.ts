import { type ErrorCode, type ErrorContext, type ErrorReason, LagoonError, toLagoonError } from '@lagoon/base';
import type { BlockTask, BuiltSegment, MergeResult, MergeTask, MergeTaskSegment, SegmentTask } from './build-pool.ts';

/** What a build worker is started with. */
export interface BuildWorkerStart {
  readonly scratchDirectory: string;
  readonly scratchBytesMax: number;
}

export type BuildTask =
  | ({ readonly kind: 'block' } & BlockTask)
  | ({ readonly kind: 'segment' } & SegmentTask)
  | ({ readonly kind: 'merge'; readonly segments: readonly Omit<MergeTaskSegment, 'read'>[] } & Omit<
      MergeTask,
      'segments'
    >);

/** To a worker, which has one task at a time. */
export type ToBuildWorker =
  | { readonly kind: 'task'; readonly task: BuildTask }
  /** The answer to `need`. */
  | { readonly kind: 'range'; readonly needId: number; readonly bytes: Uint8Array }
  | { readonly kind: 'noRange'; readonly needId: number; readonly error: PlainError }
  /** Bytes of what was merged. */
  | { readonly kind: 'read'; readonly start: number; readonly end: number }
  /** What was merged is not needed any more; there is no answer. */
  | { readonly kind: 'drop' };

export type FromBuildWorker =
  | { readonly kind: 'block'; readonly bytes: Uint8Array }
  | { readonly kind: 'segment'; readonly written: BuiltSegment }
  | { readonly kind: 'merged'; readonly result: MergeResult | undefined }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'failed'; readonly error: PlainError }
  /** A range of a segment that is merged. */
  | {
      readonly kind: 'need';
      readonly needId: number;
      readonly segment: number;
      readonly start: number;
      readonly end: number;
    };

/** A LagoonError as plain data. */
export interface PlainError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly reason: ErrorReason | undefined;
  readonly context: ErrorContext;
}

export function toPlainError(error: unknown): PlainError {
  const { code, message, reason, context } = toLagoonError(error);
  return { code, message, reason, context };
}

export function fromPlainError({ code, message, reason, context }: PlainError): LagoonError {
  const error = new LagoonError(code, message, reason === undefined ? {} : { reason });
  return Object.assign(error, { context }); // the message holds the context already
}
