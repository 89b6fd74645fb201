/**
 * `make explore`: every pair of operations in every order of their store calls, with a fault at each; then garbage collection against two
 * others. Each part takes MINUTES at most; PAIR="write,branch" (or three names) explores only that.
 */
import { type Operation, operations } from './explore-operations.ts';
import { exploreTogether, servedOf } from './explore-pairs.ts';

const minutes = Number(process.env.MINUTES ?? 10);
const served = await servedOf(operations);
for (const { name } of operations.filter((one) => !served.includes(one))) process.stdout.write(`${name}: not served\n`);
const pairs = served.flatMap((a, i) => served.slice(i).map((b) => [a, b]));
const collectors = served.filter(({ isCollector }) => isCollector);
const triples = pairs
  .filter((pair) => !pair.some(({ isCollector }) => isCollector))
  .flatMap((pair) => collectors.map((collector) => [...pair, collector]));
let scheduleCount = 0;
let cutCount = 0;

const only = process.env.PAIR?.split(',').map((name) => operations.filter((one) => one.name === name));
for (const group of only === undefined ? [pairs, triples] : [[only.flat()]]) await exploreGroup(group);
process.stdout.write(`${scheduleCount} schedules, ${cutCount} sets of operations cut off by the time\n`);

/** Time that one set does not need is left to those after it. */
async function exploreGroup(group: readonly (readonly Operation[])[]): Promise<void> {
  const endMs = performance.now() + minutes * 60_000;
  for (const [position, together] of group.entries()) {
    const report = await exploreTogether(together, {
      durationMs: (endMs - performance.now()) / (group.length - position),
      scheduleCountMax: 1_000_000,
      nowMs: () => performance.now(),
    });
    const { name, prunedCount, durationMs, planCount, cutOff, wrong } = report;
    const seconds = (durationMs / 1000).toFixed(1);
    const cut =
      cutOff.length === 0 ? '' : `; not seen whole: ${cutOff.length} of ${planCount} fault plans, first ${cutOff[0]}`;
    process.stdout.write(
      `${name}: ${report.scheduleCount} schedules, ${prunedCount} runs pruned, ${seconds} s${cut}\n`,
    );
    scheduleCount += report.scheduleCount;
    if (cutOff.length > 0) cutCount++;
    if (wrong.length === 0) continue;
    process.stdout.write(`${wrong.join('\n')}\n`);
    process.exitCode = 1;
  }
}
