/**
 * `make explore`: every pair of operations in every order of their store calls, with a fault at each; then garbage collection against two
 * others. Each part takes MINUTES at most, in PROCESSES processes; PAIR="write,branch" (or three names) explores only that.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { operations } from './explore-operations.ts';
import { exploreTogether, type PairReport, servedOf } from './explore-pairs.ts';

interface Task {
  readonly names: readonly string[];
  readonly durationMs: number;
}

const minutes = Number(process.env.MINUTES ?? 10);
const processCount = Number(process.env.PROCESSES ?? 2);
/** A process that has grown beyond it does no further set. */
const residentBytesMax = 700e6;

/** The sets, the shorter first, so that what they leave of their time goes to the others. */
async function setsOf(): Promise<readonly (readonly (readonly string[])[])[]> {
  const only = process.env.PAIR?.split(',');
  if (only !== undefined) return [[only]];
  const served = await servedOf(operations);
  for (const { name } of operations.filter((one) => !served.includes(one)))
    process.stdout.write(`${name}: not served\n`);
  const pairs = served.flatMap((a, i) => served.slice(i).map((b) => [a, b]));
  const collectors = served.filter(({ isCollector }) => isCollector);
  const plain = pairs.filter((pair) => !pair.some(({ isCollector }) => isCollector));
  const collected = pairs.filter((pair) => !plain.includes(pair));
  const triples = plain.flatMap((pair) => collectors.map((collector) => [...pair, collector]));
  return [[...plain, ...collected], triples].map((sets) => sets.map((set) => set.map(({ name }) => name)));
}

/** Explores the sets one after the other, as many at once as there are processes; time that one does not need is left to those after it. */
async function exploreGroup(sets: readonly (readonly string[])[]): Promise<readonly PairReport[]> {
  const endMs = performance.now() + minutes * 60_000;
  const reports: PairReport[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    let child: ChildProcess | undefined;
    for (let names = sets[next]; names !== undefined; names = sets[next]) {
      const roundsLeft = Math.ceil((sets.length - next++) / processCount);
      child ??= fork(fileURLToPath(import.meta.url), { env: { ...process.env, EXPLORE_CHILD: '1' } });
      const { report, residentBytes } = await ask(child, {
        names,
        durationMs: (endMs - performance.now()) / roundsLeft,
      });
      reports.push(report);
      tell(report);
      if (residentBytes < residentBytesMax) continue;
      child.disconnect();
      child = undefined;
    }
    child?.disconnect();
  };
  await Promise.all(Array.from({ length: processCount }, work));
  return reports;
}

interface ChildAnswer {
  readonly report: PairReport;
  readonly residentBytes: number;
}

function ask(child: ChildProcess, task: Task): Promise<ChildAnswer> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`a process ended with ${code} at ${task.names.join(' | ')}`));
    child.once('exit', onExit);
    child.once('message', (answer) => {
      child.off('exit', onExit);
      resolve(answer as ChildAnswer);
    });
    child.send(task);
  });
}

function tell({ name, scheduleCount, prunedCount, durationMs, planCount, cutOff, wrong }: PairReport): void {
  const seconds = (durationMs / 1000).toFixed(1);
  const cut =
    cutOff.length === 0
      ? ', all of them'
      : `; not seen whole: ${cutOff.length} of ${planCount} fault plans, first ${cutOff[0]}`;
  process.stdout.write(`${name}: ${scheduleCount} schedules, ${prunedCount} runs pruned, ${seconds} s${cut}\n`);
  if (wrong.length > 0) process.stdout.write(`${wrong.join('\n')}\n`);
}

async function exploreAll(): Promise<void> {
  for (const sets of await setsOf()) {
    const reports = await exploreGroup(sets);
    const count = reports.reduce((sum, { scheduleCount }) => sum + scheduleCount, 0);
    const whole = reports.filter(({ cutOff }) => cutOff.length === 0).length;
    const wrong = reports.filter((report) => report.wrong.length > 0).length;
    process.stdout.write(
      `${count} schedules of ${reports.length} sets of operations, ${whole} of them whole, ${wrong} wrong\n`,
    );
    if (wrong > 0) process.exitCode = 1;
  }
}

async function serve({ names, durationMs }: Task): Promise<void> {
  const together = names.flatMap((name) => operations.filter((one) => one.name === name));
  const report = await exploreTogether(together, {
    durationMs,
    scheduleCountMax: 1_000_000,
    nowMs: () => performance.now(),
  });
  process.send?.({ report, residentBytes: process.memoryUsage().rss });
}

if (process.env.EXPLORE_CHILD === undefined) await exploreAll();
else process.on('message', (task) => void serve(task as Task));
