import { type Footprint, isDependent } from './explore-store.ts';

/** Something that may happen next. Its id is the same in every run in which its process has done the same before. */
export interface Step extends Footprint {
  readonly id: string;
}

/** One run of a system from its start, driven step by step. */
export interface Run {
  /** What may happen next, in a fixed order; empty when the run is over. */
  enabled(): readonly Step[];
  take(step: Step): Promise<void>;
  /** The run has turned out to be none that was asked for: it is not counted. */
  readonly isVoid: boolean;
}

export interface Enumeration {
  readonly scheduleCount: number;
  /** Runs that were given up because an equivalent one was or will be seen whole. */
  readonly prunedCount: number;
  /** Whether every schedule was seen. */
  readonly isComplete: boolean;
}

export interface EnumerationOptions {
  /**
   * At most so many changes from one process to another that could have gone on. Undefined: any number, and then of the schedules that
   * differ only in the order of steps that commute, one is seen.
   */
  readonly switchCountMax: number | undefined;
  /** Asked before each run but the first. */
  isOver(): boolean;
}

interface Node {
  readonly enabled: readonly Step[];
  /** What is to be taken here, the first `position` of them were; grows as races are found. */
  readonly choices: Step[];
  position: number;
  /** Steps whose schedules from here on were seen before: taking one now would only commute with what came since. */
  readonly asleep: readonly Step[];
  /** Changes of process before this, and whether every choice but the first is one. */
  readonly switchCount: number;
  readonly isSwitch: boolean;
}

/**
 * Depth first through all schedules, each from a fresh start. `start` makes a run; `finish` is called when nothing is enabled any more, and
 * says whether to go on.
 *
 * Without a bound on switches, two schedules count as one if they differ only in the order of neighbours that commute (`isDependent`).
 * So another choice is tried only where a run shows a race: a step that depends on an earlier one which it could have come before
 * (dynamic partial order reduction with source sets, Abdulla et al. 2014); and after the schedules that begin with step a, those that begin
 * with b do not go on with a as long as nothing has happened that a depends on (sleep sets, Godefroid 1996).
 */
export async function enumerate<R extends Run>(
  start: () => Promise<R>,
  finish: (run: R) => Promise<boolean>,
  options: EnumerationOptions,
): Promise<Enumeration> {
  const path: Node[] = [];
  let scheduleCount = 0;
  let prunedCount = 0;
  for (let runCount = 0; ; runCount++) {
    if (runCount > 0 && options.isOver()) return { scheduleCount, prunedCount, isComplete: false };
    const run = await start();
    for (const node of path) await run.take(chosenOf(node));
    const isWhole = await extend(run, path, options.switchCountMax);
    if (options.switchCountMax === undefined) addRaces(path);
    if (!isWhole) prunedCount++;
    else if (!run.isVoid) scheduleCount++;
    const goesOn = !isWhole || run.isVoid || (await finish(run));
    if (!goesOn) return { scheduleCount, prunedCount, isComplete: false };
    if (!advance(path)) return { scheduleCount, prunedCount, isComplete: true };
  }
}

/** To the end of the run, first choices only; false: everything that could go on is asleep. */
async function extend(run: Run, path: Node[], switchCountMax: number | undefined): Promise<boolean> {
  for (let enabled = run.enabled(); enabled.length > 0; enabled = run.enabled()) {
    const parent = path.at(-1);
    const node =
      switchCountMax === undefined ? unboundedNode(parent, enabled) : boundedNode(parent, enabled, switchCountMax);
    if (node.choices.length === 0) return false;
    path.push(node);
    await run.take(chosenOf(node));
  }
  return true;
}

function unboundedNode(parent: Node | undefined, enabled: readonly Step[]): Node {
  const seen = parent === undefined ? [] : [...parent.asleep, ...parent.choices.slice(0, parent.position)];
  const asleep = parent === undefined ? [] : seen.filter((step) => !isDependent(step, chosenOf(parent)));
  const first = enabled.find((step) => !includes(asleep, step));
  const choices = first === undefined ? [] : [first];
  return { enabled, choices, position: 0, asleep, switchCount: 0, isSwitch: false };
}

/** Finds what could have come the other way round in the run, and adds the choices that make it so. */
function addRaces(path: readonly Node[]): void {
  const steps = path.map(chosenOf);
  const causes = steps.map((step, i) => path.findIndex((node, at) => at <= i && includes(node.enabled, step)) - 1);
  /** before[i]: positions of what must come before step i, as it depends on them or was caused by them. */
  const before: Set<number>[] = [];
  for (const [i, step] of steps.entries()) {
    const past = new Set<number>();
    const races: number[] = [];
    for (let j = i - 1; j >= 0; j--) {
      if (past.has(j) || (j !== causes[i] && !isDependent(steps[j] as Step, step))) continue;
      if (j !== causes[i]) races.push(j);
      past.add(j);
      for (const k of before[j] ?? []) past.add(k);
    }
    before.push(past);
    for (const j of races) addReversal(path, steps, before, j, i);
  }
}

/** Steps j and i race: what does not follow from j, and then i, must be possible without j. */
function addReversal(
  path: readonly Node[],
  steps: readonly Step[],
  before: readonly ReadonlySet<number>[],
  j: number,
  i: number,
): void {
  const node = path[j] as Node;
  const others: number[] = [];
  for (let k = j + 1; k < i; k++) if (before[k]?.has(j) !== true) others.push(k);
  const firsts = [...others, i]
    .filter((k) => !others.some((other) => other < k && (before[k]?.has(other) ?? false)))
    .map((k) => steps[k] as Step)
    .filter((step) => includes(node.enabled, step));
  if (firsts.some((step) => includes(node.choices, step) || includes(node.asleep, step))) return;
  const [first] = firsts;
  const added = first === undefined ? node.enabled : [first];
  for (const step of added) if (!includes(node.choices, step) && !includes(node.asleep, step)) node.choices.push(step);
}

function includes(steps: readonly Step[], { id }: Step): boolean {
  return steps.some((step) => step.id === id);
}

/** Of the calls that a process has sent at once, the first sent goes first here. */
function boundedNode(parent: Node | undefined, enabled: readonly Step[], switchCountMax: number): Node {
  const firsts = enabled.filter((step, i) => enabled.findIndex(({ process }) => process === step.process) === i);
  const switchCount = parent === undefined ? 0 : parent.switchCount + (parent.isSwitch && parent.position > 0 ? 1 : 0);
  const last = parent === undefined ? undefined : chosenOf(parent).process;
  const own = firsts.filter(({ process }) => process === last);
  const others = firsts.filter(({ process }) => process !== last);
  const isSwitch = own.length > 0;
  const choices = isSwitch && switchCount >= switchCountMax ? own : [...own, ...others];
  return { enabled, choices, position: 0, asleep: [], switchCount, isSwitch };
}

/** To the next choice of the deepest node that has one; false: all were seen. */
function advance(path: Node[]): boolean {
  for (let node = path.at(-1); node !== undefined; node = path.at(-1)) {
    node.position++;
    if (node.position < node.choices.length) return true;
    path.pop();
  }
  return false;
}

function chosenOf(node: Node): Step {
  return node.choices[node.position] as Step;
}
