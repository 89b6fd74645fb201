import { createExploreClient, type ExploreClient } from './explore-client.ts';
import type { Operation } from './explore-operations.ts';
import { createProcess, type Process, type SharedTime, settle } from './explore-process.ts';
import type { Run, Step } from './explore-schedules.ts';
import { createExploreStore, type ExploreStore, type WaitingCall } from './explore-store.ts';

/** The one thing that goes wrong in a run, at one call of one process. */
export interface Fault {
  readonly slot: number;
  readonly index: number;
  /**
   * `late`: the caller hears that the connection broke, and the call arrives at any moment after that.
   * `zombie`: its process dies, and the call arrives at any moment after that. `lost`: its process dies, and the call never arrives.
   */
  readonly kind: 'late' | 'zombie' | 'lost';
}

export interface ExploreRun extends Run {
  readonly store: ExploreStore;
  readonly time: SharedTime;
  readonly clients: readonly ExploreClient[];
  /** Labels of what happened, in order. */
  readonly trace: readonly string[];
  /** Calls that each operation's first process has sent: whether each changes something, by its index. */
  readonly sent: readonly ReadonlyMap<number, boolean>[];
}

/** Ends a wait for a process that waits for nothing in the store; more are a loop. */
const timerCountMax = 10_000;

export async function startRun(
  initial: Pick<ExploreStore, 'objects' | 'buried'>,
  operations: readonly Operation[],
  fault: Fault | undefined,
): Promise<ExploreRun> {
  const time = { nowMs: 24 * 3_600_000 };
  const store = createExploreStore(time, initial);
  const trace: string[] = [];
  const clients = operations.map((operation, slot) => createExploreClient(operation, slot, () => trace.length));
  const processes = operations.map((operation, slot) => createProcess(`${operation.name}/${slot}`, time));
  const sent = operations.map(() => new Map<number, boolean>());
  const late: WaitingCall[] = [];
  let hasStruck = false;
  let isVoid = false;
  let mustResume = false;

  store.onSend = (call) => {
    const slot = processes.findIndex(({ name }) => name === call.process);
    sent[slot]?.set(call.index, call.writes.length > 0);
    if (fault === undefined || slot !== fault.slot || call.index !== fault.index) return true;
    hasStruck = true;
    if (fault.kind !== 'lost' && call.writes.length === 0) {
      isVoid = true;
      return true;
    }
    if (fault.kind !== 'lost') late.push(call);
    if (fault.kind === 'late') call.breakOff();
    else crash(processes[slot] as Process);
    return false;
  };

  /** What it has on the way may still arrive; the operation goes on with another process when the others are done. */
  function crash(process: Process): void {
    process.crash();
    mustResume = true;
    for (const call of store.waiting.filter((one) => one.process === process.name)) {
      store.remove(call);
      if (call.writes.length > 0) late.push(call);
    }
  }

  const rest = async (): Promise<void> => {
    for (let timerCount = 0; ; ) {
      await settle();
      const idle = processes.find(
        (process, slot) =>
          clients[slot]?.isOver === false &&
          process.alive &&
          !store.waiting.some((call) => call.process === process.name),
      );
      if (idle?.fireTimer() !== true) return;
      if (timerCount++ > timerCountMax) throw new Error(`${idle.name} waits for ever`);
    }
  };

  /** By a process that knows nothing, without any choice: whoever was cut off can finish. */
  const resume = async (): Promise<void> => {
    mustResume = false;
    const client = clients[fault?.slot ?? 0];
    const process = createProcess('resumed', time);
    process.isFree = true;
    client?.run(process, store);
    await untilOver(process, () => client?.isOver !== false);
  };

  operations.forEach((_, slot) => {
    clients[slot]?.run(processes[slot] as Process, store);
  });
  await rest();

  return {
    store,
    time,
    clients,
    trace,
    sent,
    get isVoid() {
      return isVoid || (fault !== undefined && !hasStruck);
    },
    enabled: () => {
      if (isVoid) return [];
      const steps = [...store.waiting, ...late].map((call) => stepOf(call, late.includes(call)));
      return mustResume && store.waiting.length === 0 ? [...steps, resumption] : steps;
    },
    take: async (step) => {
      trace.push(step.id);
      if (step.id === resumption.id) return await resume();
      const call = [...store.waiting, ...late].find((one) => stepOf(one, late.includes(one)).id === step.id);
      if (call === undefined) throw new Error(`the run is not the same again: no ${step.id}`);
      if (late.includes(call)) late.splice(late.indexOf(call), 1);
      else store.remove(call);
      call.apply();
      await rest();
    },
  };
}

/** Runs a free process until its work is done. */
export async function untilOver(process: Process, isOver: () => boolean): Promise<void> {
  for (let timerCount = 0; ; timerCount++) {
    await settle();
    if (isOver()) return;
    if (timerCount > timerCountMax || !process.fireTimer()) throw new Error(`${process.name} never comes to an end`);
  }
}

const resumption: Step = {
  id: 'resume',
  process: 'resumed',
  reads: [],
  listed: undefined,
  writes: [],
  isTime: true, // it touches anything
};

function stepOf(call: WaitingCall, isLate: boolean): Step {
  const { process, reads, listed, writes, isTime, label } = call;
  const prefix = isLate ? 'late ' : '';
  return { id: prefix + label, process: prefix + process, reads, listed, writes, isTime };
}
