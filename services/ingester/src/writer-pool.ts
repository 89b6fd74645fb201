import { type Clock, LagoonError, type Timer } from '@lagoon/base';
import type { IngesterConfig } from './config.ts';
import type { NamespaceWriter } from './namespace-writer.ts';

/** The warm writers of a role, least recently used first; idle ones are let go past a count or an age. */
export interface WriterPool {
  /** Throws `resource_exhausted` where every writer is at work and there is no room for another. */
  writerOf(namespace: string): NamespaceWriter;
  /** The writer of a namespace that is warm; without using it. */
  peek(namespace: string): NamespaceWriter | undefined;
  readonly writers: Iterable<NamespaceWriter>;
  readonly size: number;
  /** Resolves when no writer has anything left to do. */
  drain(): Promise<void>;
  close(): void;
}

interface Slot {
  readonly writer: NamespaceWriter;
  lastUsedMs: number;
}

export function createWriterPool(
  deps: {
    readonly clock: Clock;
    create(namespace: string): NamespaceWriter;
    /** Called when an idle writer is let go. */
    onDrop(namespace: string): void;
  },
  config: Pick<IngesterConfig, 'writerCountMax' | 'writerIdleMs'>,
): WriterPool {
  const slots = new Map<string, Slot>();
  let sweep: Timer | undefined;

  const drop = (namespace: string): void => {
    slots.get(namespace)?.writer.letGo();
    slots.delete(namespace);
    deps.onDrop(namespace);
  };

  const dropIdle = (): void => {
    sweep = undefined;
    const oldestMs = deps.clock.monotonicMs() - config.writerIdleMs;
    for (const [namespace, slot] of slots) {
      if (slot.lastUsedMs > oldestMs) break;
      if (slot.writer.isIdle) drop(namespace);
    }
    schedule();
  };

  const schedule = (): void => {
    if (sweep !== undefined || slots.size === 0) return;
    sweep = deps.clock.setTimer(config.writerIdleMs, dropIdle);
  };

  const makeRoom = (): void => {
    if (slots.size < config.writerCountMax) return;
    for (const [namespace, slot] of slots) {
      if (!slot.writer.isIdle) continue;
      drop(namespace);
      return;
    }
    throw new LagoonError('resource_exhausted', 'too many namespaces are written at once', {
      reason: 'backpressure',
      context: { countMax: config.writerCountMax },
      retryAfterMs: 200,
    });
  };

  return {
    writerOf: (namespace) => {
      const present = slots.get(namespace);
      if (present === undefined) makeRoom();
      const slot = present ?? { writer: deps.create(namespace), lastUsedMs: 0 };
      slot.lastUsedMs = deps.clock.monotonicMs();
      slots.delete(namespace);
      slots.set(namespace, slot);
      schedule();
      return slot.writer;
    },
    peek: (namespace) => slots.get(namespace)?.writer,
    get writers() {
      return [...slots.values()].map((slot) => slot.writer);
    },
    get size() {
      return slots.size;
    },
    drain: async () => {
      for (const slot of slots.values()) await slot.writer.drain();
    },
    close: () => {
      sweep?.cancel();
      sweep = undefined;
      for (const { writer } of slots.values()) writer.letGo();
    },
  };
}
