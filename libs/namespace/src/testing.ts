import { type Clock, LagoonError } from '@lagoon/base';
import type { Schema } from '@lagoon/format';
import type { ObjectStore } from '@lagoon/object-store';
import type { BatchDraft, EntryDraft, NamespaceEvent } from './namespace-log.ts';

/** Helpers of this package's own tests: a clock that is set by hand, and drafts with a few bytes as parts. */
export interface TestClock extends Clock {
  advance(durationMs: number): void;
  /** The store's and the world's time moves on, this process's clocks do not: a suspended machine. */
  suspend(durationMs: number): void;
  worldMs(): number;
}

export function createTestClock(): TestClock {
  const startMs = 1_700_000_000_000;
  let ownMs = 0;
  let worldMs = startMs;
  let timers: { dueMs: number; callback: () => void }[] = [];
  const fire = () => {
    const due = timers.filter((timer) => timer.dueMs <= worldMs);
    timers = timers.filter((timer) => timer.dueMs > worldMs);
    for (const timer of due) timer.callback();
  };
  const advance = (durationMs: number) => {
    ownMs += durationMs;
    worldMs += durationMs;
    fire();
  };
  return {
    monotonicMs: () => ownMs,
    wallMs: () => ownMs + startMs,
    sleep: async (durationMs) => advance(durationMs),
    setTimer: (delayMs, callback) => {
      const timer = { dueMs: worldMs + delayMs, callback };
      timers.push(timer);
      return {
        cancel: () => {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
    advance,
    suspend: (durationMs) => {
      worldMs += durationMs;
      fire();
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

export type Verb = 'get' | 'put' | 'create' | 'list' | 'delete';

/** What befalls one request. `late` applies a create when `release` is called. */
export type Fate = 'lose_answer' | 'drop' | 'late' | { readonly before: () => Promise<void> | void };

export interface ScriptedStore extends ObjectStore {
  /** The next request of the verb whose key contains the text meets the fate. */
  expectNext(verb: Verb, text: string, fate: Fate): void;
  /** Applies what was late. */
  release(): Promise<void>;
  /** Requests since the last call, as `verb key`. */
  takeRequests(): string[];
}

/** A store that fails exactly where a test says so, and remembers what it was asked. */
export function createScriptedStore(store: ObjectStore): ScriptedStore {
  let script: { verb: Verb; text: string; fate: Fate }[] = [];
  let requests: string[] = [];
  const late: (() => Promise<unknown>)[] = [];

  const meet = async (verb: Verb, key: string): Promise<Fate | undefined> => {
    requests.push(`${verb} ${key}`);
    const found = script.find((rule) => rule.verb === verb && key.includes(rule.text));
    if (found === undefined) return undefined;
    script = script.filter((rule) => rule !== found);
    if (typeof found.fate === 'object') await found.fate.before();
    return found.fate;
  };
  const run = async <R>(verb: Verb, key: string, call: () => Promise<R>): Promise<R> => {
    const fate = await meet(verb, key);
    if (fate === 'drop') throw new LagoonError('unavailable', 'scripted');
    const result = await call();
    if (fate === 'lose_answer') throw new LagoonError('unavailable', 'scripted');
    return result;
  };
  return {
    ...store,
    expectNext: (verb, text, fate) => {
      script.push({ verb, text, fate });
    },
    release: async () => {
      for (const apply of late.splice(0)) await apply();
    },
    takeRequests: () => {
      const taken = requests;
      requests = [];
      return taken;
    },
    get: (key, options, signal) => run('get', key, () => store.get(key, options, signal)),
    put: (key, bytes, signal) => run('put', key, () => store.put(key, bytes, signal)),
    create: async (key, bytes, signal) => {
      const fate = await meet('create', key);
      const unknown = { outcome: 'unknown' as const, cause: new Error('scripted'), storeTimeMs: undefined };
      if (fate === 'late') {
        late.push(() => store.create(key, bytes));
        return unknown;
      }
      if (fate === 'drop') return unknown;
      const result = await store.create(key, bytes, signal);
      return fate === 'lose_answer' ? unknown : result;
    },
    list: (options, signal) => run('list', options.prefix, () => store.list(options, signal)),
    delete: (keys, signal) => run('delete', keys.join(), () => store.delete(keys, signal)),
  };
}
