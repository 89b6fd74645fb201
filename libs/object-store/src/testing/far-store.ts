import { type Clock, createSeededRandom, createSystemClock } from '@lagoon/base';
import { latencyModel } from '../latency-model.ts';
import { type MeteredStore, metered } from '../metered.ts';
import type { ObjectStore } from '../object-store.ts';

/** What answering took of the store. */
export interface Rounds {
  /** Requests one after another: how often the answer waited for the store. */
  readonly rounds: number;
  readonly requestCount: number;
  readonly bytesRead: number;
}

/** A far store: every request takes 50 ms of a clock that stands still while anything is computed. */
export interface FarStore {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly latencyMs: number;
  /** Runs with the clock, from one wait to the next, and says how many rounds of requests it took. */
  measure<R>(run: () => Promise<R>): Promise<Rounds & { readonly result: R }>;
}

const latencyMs = 50;
/** Of the event loop, without a wait of the store or a result: something waits for what never comes. */
const idleTurnCountMax = 20_000;

export function createFarStore(near: ObjectStore): FarStore {
  const { clock, wakeNext } = createSteppedClock();
  const counted: MeteredStore = metered(near, { clock });
  const far = { baseMs: latencyMs };
  const model = { get: far, put: far, create: far, list: far, delete: far };
  return {
    clock,
    latencyMs,
    store: latencyModel(counted, { clock, random: createSeededRandom(1) }, model),
    measure: async (run) => {
      counted.reset();
      const startMs = clock.monotonicMs();
      let isDone = false;
      const running = run().finally(() => {
        isDone = true;
      });
      running.catch(() => {}); // seen below
      for (let idleTurnCount = 0; ; idleTurnCount++) {
        await nextTurn();
        if (isDone) break;
        if (idleTurnCount > idleTurnCountMax) throw new Error('nothing moves');
        if (wakeNext()) idleTurnCount = 0;
      }
      const { get, list, bytesRead } = counted.snapshot();
      const rounds = (clock.monotonicMs() - startMs) / latencyMs;
      return { result: await running, rounds, requestCount: get + list, bytesRead };
    },
  };
}

/** All microtasks, and those that they set off, run before it. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Wait {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** Time moves only by `wakeNext`: to the end of the wait that is due next. Timers fire on the way, and never move it. */
function createSteppedClock(): { readonly clock: Clock; readonly wakeNext: () => boolean } {
  const startMs = createSystemClock().wallMs();
  let nowMs = 0;
  let waits: Wait[] = [];
  let timers: Wait[] = [];
  const clock: Clock = {
    monotonicMs: () => nowMs,
    wallMs: () => startMs + nowMs,
    sleep: (durationMs, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const wait = { dueMs: nowMs + durationMs, wake: resolve };
        waits.push(wait);
        signal?.addEventListener('abort', () => {
          waits = waits.filter((other) => other !== wait);
          reject(signal.reason);
        });
      }),
    setTimer: (delayMs, callback) => {
      const timer = { dueMs: nowMs + delayMs, wake: callback };
      timers.push(timer);
      return {
        cancel: () => {
          timers = timers.filter((other) => other !== timer);
        },
      };
    },
  };
  const wakeNext = (): boolean => {
    if (waits.length === 0) return false;
    nowMs = Math.min(...waits.map(({ dueMs }) => dueMs));
    const due = [...timers, ...waits].filter(({ dueMs }) => dueMs <= nowMs);
    timers = timers.filter(({ dueMs }) => dueMs > nowMs);
    waits = waits.filter(({ dueMs }) => dueMs > nowMs);
    for (const { wake } of due) wake();
    return true;
  };
  return { clock, wakeNext };
}
