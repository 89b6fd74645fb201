import { equalBytes, LagoonError } from '@lagoon/base';
import { type Block, combineBlocks, type Schema } from '@lagoon/format';
import {
  type BatchDraft,
  defaultSettings,
  type EntryDraft,
  type IdempotencyRecord,
  type NamespaceView,
  sameSettings,
} from '@lagoon/namespace';
import { changeSettings, checkWritable } from './change-settings.ts';
import type { IngesterConfig } from './config.ts';
import { createRowState, type RowBasis, type RowState } from './row-state.ts';
import type { AffectedBlocks, WriteCounts, WriteRequest, WriteResolver } from './write-request.ts';

/** What became of one write of a group, once the group's entry is committed. */
export type WriteOutcome =
  | { readonly kind: 'applied'; readonly counts: WriteCounts; readonly affected?: AffectedBlocks | undefined }
  /** An earlier write with the same key decided; nothing was applied now. */
  | { readonly kind: 'kept'; readonly record: IdempotencyRecord }
  /** Nothing to change: the answer is the view's generation. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'failed'; readonly error: LagoonError };

export interface ResolvedGroup {
  readonly draft: EntryDraft | 'nothing';
  /** In the order of the writes. */
  readonly outcomes: readonly WriteOutcome[];
}

/** Ids that a birth in this group would take, the same however often it is resolved. */
export interface BirthIds {
  readonly incarnation: string;
  readonly family: string;
}

export interface GroupContext {
  readonly view: NamespaceView;
  readonly birth: BirthIds;
  readonly nowMs: number;
  readonly resolveWrite: WriteResolver;
  /** The rows of the view; throws where they cannot be had. */
  readonly rows: () => RowBasis;
  findRecord(key: string): IdempotencyRecord | undefined;
  readonly recordCount: number;
}

/** Groups up to here are combined: about a millisecond's work. */
const combinedBytesMax = 1 << 20;

type Bounds = Pick<
  IngesterConfig,
  'unindexedBytesMax' | 'unindexedEntryCountMax' | 'backpressureRetryAfterMs' | 'idempotencyRecordCountMax'
>;

/**
 * Resolves the writes of a closed group against the view that its entry will follow, each seeing those before it.
 * A write that fails, fails alone. Pure but for the memo of converted blocks, so it can be repeated after a lost race.
 */
export function resolveGroup(writes: readonly WriteRequest[], context: GroupContext, bounds: Bounds): ResolvedGroup {
  const group = openGroup(context, bounds);
  const outcomes = writes.map((write) => {
    try {
      return group.add(write);
    } catch (error) {
      if (error instanceof LagoonError) return { kind: 'failed', error } as const;
      throw error;
    }
  });
  return { outcomes, draft: group.close() };
}

interface OpenGroup {
  add(write: WriteRequest): WriteOutcome;
  close(): EntryDraft | 'nothing';
}

function openGroup(context: GroupContext, bounds: Bounds): OpenGroup {
  const live = context.view.live;
  const tail = weighTail(context.view);
  const records = new Map<string, GroupRecord>();
  const parts: Block[] = [];
  let schema: Schema | undefined = live?.schema;
  let settings = live?.settings ?? defaultSettings;
  let born = false;
  let bytes = 0;
  /** What the next member sees; made for the first that looks. */
  let state: { readonly rows: RowState; readonly basisLayerCount: number } | undefined;

  const rows = (): RowState => {
    if (state === undefined) {
      const basis = context.rows();
      state = { rows: createRowState(basis.base, [...basis.layers, ...parts]), basisLayerCount: basis.layers.length };
    }
    return state.rows;
  };

  /** The parts become rows that the next member sees, unless resolving them has done so. */
  const takeParts = (more: readonly Block[]): void => {
    parts.push(...more);
    if (state === undefined || state.rows.layers.length === state.basisLayerCount + parts.length) return;
    for (const part of more) state.rows.push(part);
  };

  /** False: nothing to change, for there is nothing. */
  const ensureNamespace = (write: WriteRequest): boolean => {
    if (schema !== undefined || write.mayCreate) return true;
    const declares = write.declared.attributes.length > 0;
    const hasWork = write.block !== undefined || write.rowWork !== undefined;
    if (write.createNamespace === false || declares || !hasWork) {
      throw noSuchNamespace(context.view.name);
    }
    return false;
  };

  const checkBackpressure = (write: WriteRequest, size: number): void => {
    if (write.disableBackpressure || size === 0) return;
    if (tail.bytes + bytes + size <= bounds.unindexedBytesMax && tail.entryCount < bounds.unindexedEntryCountMax) {
      return;
    }
    throw new LagoonError('resource_exhausted', 'too much unindexed data', {
      reason: 'backpressure',
      context: { namespace: context.view.name, bytes: tail.bytes + bytes, entries: tail.entryCount },
      retryAfterMs: bounds.backpressureRetryAfterMs,
    });
  };

  const remember = (write: WriteRequest, counts: WriteCounts): void => {
    if (write.idempotency === undefined) return;
    if (context.recordCount + records.size >= bounds.idempotencyRecordCountMax) {
      throw new LagoonError('resource_exhausted', 'too many idempotency keys are remembered', {
        reason: 'backpressure',
        context: { namespace: context.view.name, countMax: bounds.idempotencyRecordCountMax },
        retryAfterMs: bounds.backpressureRetryAfterMs,
      });
    }
    records.set(write.idempotency.key, { bodyHash: write.idempotency.bodyHash, counts });
  };

  const earlierOutcome = (write: WriteRequest): WriteOutcome | undefined => {
    if (write.idempotency === undefined) return undefined;
    const inGroup = records.get(write.idempotency.key);
    const kept = live === undefined ? undefined : context.findRecord(write.idempotency.key);
    const earlier = inGroup ?? kept;
    if (earlier === undefined) return undefined;
    if (!equalBytes(earlier.bodyHash, write.idempotency.bodyHash)) {
      throw new LagoonError('conflict', 'the idempotency key was used with another body', {
        reason: 'idempotency_mismatch',
        context: { key: write.idempotency.key },
      });
    }
    if (inGroup !== undefined) return { kind: 'applied', counts: inGroup.counts };
    return kept === undefined ? undefined : { kind: 'kept', record: kept };
  };

  const apply = (write: WriteRequest): WriteOutcome => {
    if (write.settings === undefined) checkWritable(context.view.name, settings);
    const nextSettings = changeSettings(settings, write.settings);
    const resolved = context.resolveWrite(write, schema, rows);
    const size = sum(resolved.parts, (part) => part.bytes.byteLength);
    checkBackpressure(write, size);
    const declares = resolved.schema !== schema || !sameSettings(nextSettings, settings);
    if (size === 0 && !declares && write.idempotency === undefined) return { kind: 'unchanged' };
    const { counts, affected } = resolved;
    remember(write, counts);
    born ||= live === undefined;
    schema = resolved.schema;
    settings = nextSettings;
    bytes += size;
    takeParts(resolved.parts);
    return { kind: 'applied', counts, affected };
  };

  return {
    add: (write) => {
      const earlier = earlierOutcome(write);
      if (earlier !== undefined) return earlier;
      if (!ensureNamespace(write)) return { kind: 'unchanged' };
      try {
        return apply(write);
      } catch (error) {
        state = undefined; // a write that fails half-way may have left rows in it
        throw error;
      }
    },
    close: () => {
      const schemaChanged = schema !== live?.schema;
      const settingsChanged = !sameSettings(settings, live?.settings ?? defaultSettings);
      if (parts.length === 0 && records.size === 0 && !schemaChanged && !settingsChanged && !born) return 'nothing';
      const batch: BatchDraft = {
        parts: partsOf(parts, schema),
        upsertedRowCount: sum(parts, (part) => part.rowCount),
        deletedRowCount: sum(parts, (part) => part.deletes.count),
        ...(schemaChanged && schema !== undefined ? { schema } : {}),
        ...(settingsChanged ? { settings } : {}),
        idempotency: [...records].map(([key, record]) => ({
          key,
          bodyHash: record.bodyHash,
          ...record.counts,
          writtenAtMs: context.nowMs,
        })),
      };
      if (!born) return { kind: 'batch', ...batch };
      return { kind: 'birth', ...context.birth, batch };
    },
  };
}

/** Many small blocks become one of rows and one of deletes: readers keep a tail's blocks apart, and each costs a query. */
function partsOf(blocks: readonly Block[], schema: Schema | undefined): readonly Uint8Array[] {
  const bytes = sum(blocks, (block) => block.bytes.byteLength);
  if (blocks.length < 2 || bytes > combinedBytesMax || schema === undefined) return blocks.map((block) => block.bytes);
  return combineBlocks(blocks, schema);
}

interface GroupRecord {
  readonly bodyHash: Uint8Array;
  readonly counts: WriteCounts;
}

export function noSuchNamespace(namespace: string): LagoonError {
  return new LagoonError('not_found', 'no such namespace', { context: { namespace } });
}

/** What is not indexed yet, in bytes and entries. */
export function weighTail(view: NamespaceView): { readonly bytes: number; readonly entryCount: number } {
  const tail = view.live?.tail ?? [];
  return { bytes: sum(tail, (batch) => batch.sizeBytes), entryCount: tail.length };
}

function sum<T>(items: readonly T[], weigh: (item: T) => number): number {
  let total = 0;
  for (const item of items) total += weigh(item);
  return total;
}
