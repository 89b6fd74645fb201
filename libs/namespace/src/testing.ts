import type { Clock } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import type { BatchDraft, EntryDraft, NamespaceEvent } from './namespace-log.ts';

/** Helpers of this package's own tests: a clock that is set by hand, and drafts with a few bytes as parts. */
export interface TestClock extends Clock {
  advance(durationMs: number): void;
  /** The store's and the world's time moves on, this process's clocks do not: a suspended machine. */
  suspend(durationMs: number): void;
  worldMs(): number;
}

export function createTestClock(): TestClock {
  let ownMs = 0;
  let worldMs = 1_700_000_000_000;
  const offsetMs = 1_700_000_000_000;
  return {
    monotonicMs: () => ownMs,
    wallMs: () => ownMs + offsetMs,
    sleep: async (durationMs) => {
      ownMs += durationMs;
      worldMs += durationMs;
    },
    setTimer: () => ({ cancel: () => {} }),
    advance: (durationMs) => {
      ownMs += durationMs;
      worldMs += durationMs;
    },
    suspend: (durationMs) => {
      worldMs += durationMs;
    },
    worldMs: () => worldMs,
  };
}

export const testSchema: Schema = {
  idKind: 'u64',
  attributes: new Map([['title', { type: { kind: 'scalar', scalar: 'string' }, filterable: true }]]),
};

export function batchOfBytes(...values: readonly (readonly number[])[]): BatchDraft {
  return {
    parts: values.map((part) => Uint8Array.from(part)),
    upsertedRowCount: values.flat().length,
    deletedRowCount: 0,
    idempotency: [],
  };
}

export function batchDraft(...values: readonly (readonly number[])[]): EntryDraft {
  return { kind: 'batch', ...batchOfBytes(...values) };
}

export function birthDraft(incarnation: string, ...values: readonly (readonly number[])[]): EntryDraft {
  const batch = { ...batchOfBytes(...values), schema: testSchema };
  return { kind: 'birth', incarnation, family: `family${incarnation}`, batch };
}

/** The parts of the batches, each as its bytes. */
export function partsOf(events: readonly NamespaceEvent[]): string[] {
  return events.flatMap((event) => (event.kind === 'batch' ? event.parts.map((part) => [...part].join()) : []));
}
