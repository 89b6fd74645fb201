import type { Random } from '@lagoon/base';

/**
 * Virtual time. Everything that waits in a simulation waits here; one event runs at a time, and the next one only when all that the last one
 * set off has come to rest. Events of the same moment run in an order that the seed draws.
 */
export interface Scheduler {
  readonly nowMs: number;
  /** Runs `event` after `delayMs`; the order among equals is drawn from the seed. */
  schedule(delayMs: number, event: () => void): Scheduled;
  /** Runs events until `done` says so or none is left; throws past `untilMs` of virtual time or `eventCountMax` events. */
  run(done: () => boolean, bounds: RunBounds): Promise<void>;
}

export interface Scheduled {
  cancel(): void;
}

export interface RunBounds {
  readonly untilMs: number;
  readonly eventCountMax: number;
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly sequence: number;
  run: (() => void) | undefined;
}

export function createScheduler(random: Random): Scheduler {
  const heap: Event[] = [];
  let nowMs = 0;
  let sequence = 0;
  return {
    get nowMs() {
      return nowMs;
    },
    schedule: (delayMs, run) => {
      const event: Event = {
        atMs: delayMs > 0 ? roundUp(nowMs + delayMs) : nowMs,
        order: random.float(),
        sequence: sequence++,
        run,
      };
      push(heap, event);
      return {
        cancel: () => {
          event.run = undefined;
        },
      };
    },
    run: async (done, bounds) => {
      for (let eventCount = 0; ; eventCount++) {
        await settle();
        if (done()) return;
        const event = pop(heap);
        if (event === undefined) throw new Error(`the simulation is stuck at ${nowMs} ms: nothing is scheduled`);
        if (event.run === undefined) continue;
        if (event.atMs > bounds.untilMs) throw new Error(`not done after ${bounds.untilMs} ms of virtual time`);
        if (eventCount > bounds.eventCountMax)
          throw new Error(`not done after ${bounds.eventCountMax} events, at ${nowMs} ms`);
        nowMs = event.atMs;
        event.run();
      }
    },
  };
}

/** To whole microseconds: a wait never ends early, and every wait moves the time. */
function roundUp(ms: number): number {
  return (Math.floor(ms * 1000) + 1) / 1000;
}

/** All microtasks, and those that they set off, run before a macrotask does. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function before(a: Event, b: Event): boolean {
  if (a.atMs !== b.atMs) return a.atMs < b.atMs;
  if (a.order !== b.order) return a.order < b.order;
  return a.sequence < b.sequence;
}

function push(heap: Event[], event: Event): void {
  let index = heap.length;
  heap.push(event);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (!before(event, heap[parent] as Event)) break;
    heap[index] = heap[parent] as Event;
    index = parent;
  }
  heap[index] = event;
}

function pop(heap: Event[]): Event | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined || heap.length === 0) return top;
  let index = 0;
  for (;;) {
    let child = 2 * index + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++;
    if (!before(heap[child] as Event, last)) break;
    heap[index] = heap[child] as Event;
    index = child;
  }
  heap[index] = last;
  return top;
}
