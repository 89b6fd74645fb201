import { byItself, type CheckRun, createChecker } from './explore-check.ts';
import { createSender } from './explore-client.ts';
import { createExploreModel, type ExploreModel } from './explore-model.ts';
import { type ExploreRequest, indexNamespace, type Operation, upsert } from './explore-operations.ts';
import { type ExploreRun, type Fault, startRun } from './explore-run.ts';
import { enumerate } from './explore-schedules.ts';
import { createExploreStore, type ExploreStore, emptyBucket } from './explore-store.ts';

export interface PairReport {
  readonly name: string;
  readonly scheduleCount: number;
  readonly prunedCount: number;
  readonly durationMs: number;
  /** The schedules without a fault, and those with each of the faults. */
  readonly planCount: number;
  /** What was not seen whole; empty: every schedule was. */
  readonly cutOff: readonly string[];
  /** The first schedule that ended wrong, if one did. */
  readonly wrong: readonly string[];
}

export interface PairBounds {
  readonly durationMs: number;
  readonly scheduleCountMax: number;
  readonly nowMs: () => number;
}

interface Beginning {
  readonly bucket: ExploreStore;
  readonly model: ExploreModel;
}

/** The small namespace: rows that were replaced across two manifests and a tail. A day later the exploration begins. */
async function makeBeginning(operations: readonly Operation[]): Promise<Beginning> {
  const time = { nowMs: 0 };
  const store = createExploreStore(time, emptyBucket);
  const model = createExploreModel();
  let processCount = 0; // equal names draw equal ids
  const write = async (request: ExploreRequest): Promise<void> => {
    const { status, body } = await byItself(`base ${++processCount}`, time, (process) =>
      createSender(process, store)(request),
    );
    if (status !== request.model(model)) throw new Error(`the beginning fails with ${JSON.stringify(body)}`);
  };
  const index = () => byItself(`base ${++processCount}`, time, (process) => indexNamespace(process, store, 'alpha'));
  await write(upsert('alpha', 1, [1, 2]));
  await index();
  await write(upsert('alpha', 2, [2, 3]));
  await index();
  await write(upsert('alpha', 3, [3]));
  for (const [slot, operation] of operations.entries()) {
    for (const request of operation.before?.(slot) ?? []) request.model(model);
  }
  return { bucket: store, model };
}

const faultKinds = ['late', 'zombie', 'lost'] as const;
/** Where all schedules are too many, those with few changes from one process to another come first. */
const fewSwitches = 2;

/** All schedules of operations that run at once, without a fault and then with one at each call of each, as far as the bounds go. */
export async function exploreTogether(operations: readonly Operation[], bounds: PairBounds): Promise<PairReport> {
  const { bucket, model } = await makeBeginning(operations);
  const startMs = bounds.nowMs();
  const check = createChecker(model);
  const state: Tally = { seen: new Set(), prunedCount: 0, wrong: [], sent: operations.map(() => new Map()) };
  const cutOff: string[] = [];
  const explore = async (fault: Fault | undefined, switchCountMax: number | undefined, share: number) => {
    if (bounds.nowMs() > startMs + bounds.durationMs || state.seen.size >= bounds.scheduleCountMax) return false;
    const leftMs = startMs + bounds.durationMs - bounds.nowMs();
    const untilMs = bounds.nowMs() + leftMs * share;
    const countMax = state.seen.size + Math.ceil((bounds.scheduleCountMax - state.seen.size) * share);
    const isOver = () => bounds.nowMs() > untilMs || state.seen.size >= countMax;
    const { prunedCount, isComplete } = await enumerate(
      () => startRun(bucket, operations, fault),
      (run) => finish(check, run, fault, state),
      { switchCountMax, isOver },
    );
    state.prunedCount += prunedCount;
    return isComplete;
  };
  const report = (): PairReport => ({
    name: operations.map(({ name }) => name).join(' | '),
    scheduleCount: state.seen.size,
    prunedCount: state.prunedCount,
    durationMs: bounds.nowMs() - startMs,
    planCount: faultsOf(state).length + 1,
    cutOff,
    wrong: state.wrong,
  });

  await explore(undefined, fewSwitches, 0.1);
  let undone: (Fault | undefined)[] = [undefined, ...faultsOf(state)];
  // Time that some did not need goes to the others: first whatever has few switches, then all once more.
  for (const switchCountMax of [undefined, fewSwitches, undefined]) {
    const left: (Fault | undefined)[] = [];
    for (const [position, fault] of undone.entries()) {
      if (state.wrong.length > 0) return report();
      const share = 1 / (undone.length - position);
      const isDone = await explore(fault, switchCountMax, fault === undefined ? Math.max(share, 0.3) : share);
      if (!isDone || switchCountMax !== undefined) left.push(fault);
    }
    undone = left;
  }
  cutOff.push(...undone.map(describe));
  return report();
}

interface Tally {
  /** Whole schedules, by fault and steps. */
  readonly seen: Set<string>;
  prunedCount: number;
  readonly wrong: string[];
  /** By operation: calls of any schedule, by index, and whether one of them changes something. */
  readonly sent: readonly Map<number, boolean>[];
}

async function finish(check: CheckRun, run: ExploreRun, fault: Fault | undefined, state: Tally): Promise<boolean> {
  state.seen.add(`${describe(fault)}\n${run.trace.join('\n')}`);
  for (const [slot, calls] of run.sent.entries()) {
    for (const [index, isChange] of calls)
      state.sent[slot]?.set(index, isChange || state.sent[slot].get(index) === true);
  }
  const wrong = await check(run).catch((error: unknown) => [String(error instanceof Error ? error.stack : error)]);
  if (wrong.length === 0) return true;
  state.wrong.push(`schedule ${state.seen.size}, ${describe(fault)}`, ...wrong, ...run.trace.map((id) => `  ${id}`));
  return false;
}

function faultsOf({ sent }: Tally): Fault[] {
  return sent.flatMap((calls, slot) =>
    [...calls].flatMap(([index, isChange]) =>
      (isChange ? faultKinds : (['lost'] as const)).map((kind) => ({ slot, index, kind })),
    ),
  );
}

function describe(fault: Fault | undefined): string {
  return fault === undefined ? 'no fault' : `${fault.kind} call ${fault.index} of ${fault.slot}`;
}

/** Those that are served: each runs by itself first. */
export async function servedOf(all: readonly Operation[]): Promise<readonly Operation[]> {
  const served: Operation[] = [];
  for (const operation of all) {
    const { bucket } = await makeBeginning([operation]);
    const run = await startRun(bucket, [operation], undefined);
    for (let [step] = run.enabled(); step !== undefined; [step] = run.enabled()) await run.take(step);
    const isServed = run.clients.every(
      ({ failure, records }) => failure === undefined && records.every(({ status }) => status === 200),
    );
    if (isServed) served.push(operation);
  }
  return served;
}
