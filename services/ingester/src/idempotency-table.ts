import type { Clock } from '@lagoon/base';
import type { IdempotencyRecord, NamespaceView } from '@lagoon/namespace';

/**
 * Outcomes of the keyed writes of one incarnation, gathered from the tail and from the parts that left it.
 * A record once seen holds until it expires, wherever the compactor has moved it meanwhile.
 */
export interface IdempotencyTable {
  /** Takes in what the view's tail says; starts empty where the incarnation is another. */
  absorb(view: NamespaceView): void;
  /** Takes in the records of the manifest's parts. */
  absorbParts(view: NamespaceView, records: ReadonlyMap<string, IdempotencyRecord>): void;
  /** Whether the table knows every record that the view has: false asks for the parts. */
  covers(view: NamespaceView): boolean;
  find(key: string): IdempotencyRecord | undefined;
  readonly size: number;
}

interface Held {
  readonly record: IdempotencyRecord;
  /** On this process's monotonic clock: the only one that says when the record expires. */
  readonly seenAtMs: number;
}

export function createIdempotencyTable(clock: Clock, keepMs: number): IdempotencyTable {
  /** In the order in which they were seen. */
  const held = new Map<string, Held>();
  let incarnation: string | undefined;
  /** All records at or below this generation are known, or were and have expired. */
  let knownThrough = 0;

  const restart = (view: NamespaceView): void => {
    if (view.live?.incarnation === incarnation) return;
    held.clear();
    incarnation = view.live?.incarnation;
    knownThrough = view.live === undefined ? 0 : view.live.birthGeneration - 1;
  };

  const take = (record: IdempotencyRecord): void => {
    const present = held.get(record.key);
    if (present !== undefined && present.record.generation >= record.generation) return;
    held.delete(record.key);
    held.set(record.key, { record, seenAtMs: clock.monotonicMs() });
  };

  const expire = (): void => {
    for (const [key, { seenAtMs }] of held) {
      if (clock.monotonicMs() - seenAtMs <= keepMs) return;
      held.delete(key);
    }
  };

  return {
    absorb: (view) => {
      restart(view);
      if (view.live === undefined) return;
      const tail = view.live.tail;
      for (let i = firstAfter(tail, knownThrough); i < tail.length; i++) {
        for (const record of tail[i]?.idempotency ?? []) take(record);
      }
      // Only a tail that begins right behind what is known leaves no gap.
      if (view.live.manifest.indexedThrough <= knownThrough || view.live.manifest.idempotencyParts.length === 0) {
        knownThrough = Math.max(knownThrough, view.generation);
      }
      expire();
    },
    absorbParts: (view, parts) => {
      restart(view);
      if (view.live === undefined) return;
      for (const record of parts.values()) take(record);
      for (const batch of view.live.tail) for (const record of batch.idempotency) take(record);
      knownThrough = Math.max(knownThrough, view.generation);
    },
    covers: (view) =>
      view.live === undefined || (view.live.incarnation === incarnation && knownThrough >= view.generation),
    find: (key) => held.get(key)?.record,
    get size() {
      return held.size;
    },
  };
}

/** Index of the first batch behind the generation; batches ascend. */
function firstAfter(tail: readonly { readonly generation: number }[], generation: number): number {
  let low = 0;
  let high = tail.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((tail[middle]?.generation ?? Number.POSITIVE_INFINITY) > generation) high = middle;
    else low = middle + 1;
  }
  return low;
}
