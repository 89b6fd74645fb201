/**
 * `make sim`: runs seeds FIRST to FIRST + SEEDS − 1 in PROCESSES processes: of every four, two over seconds, one over hours with garbage collection, one
 * over weeks with builders that stand still. Stops at the first seed that finds something. Every hundredth is run twice and must be the same run.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createFaultCounts } from './faults.ts';
import { longSimulationOf } from './long-simulation.ts';
import { collectingSimulationOf, type SimulationOptions, simulate, simulationOf } from './simulation.ts';

interface SeedResult {
  readonly seed: number;
  readonly wrong: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

const first = Number(process.env.FIRST ?? 1);
const count = Number(process.env.SEEDS ?? 300);
const processCount = Number(process.env.PROCESSES ?? 2);
const repeatEvery = 100;

function optionsOf(seed: number): SimulationOptions {
  if (seed % 4 === 2) return collectingSimulationOf(seed);
  return seed % 4 === 0 ? longSimulationOf(seed) : simulationOf(seed);
}

async function runSeed(seed: number): Promise<SeedResult> {
  try {
    const result = await simulate(optionsOf(seed));
    const wrong = [...result.wrong];
    if (seed % repeatEvery === 0 && (await simulate(optionsOf(seed))).traceHash !== result.traceHash)
      wrong.push('is another run the second time');
    const { births, snapshots } = result.history;
    const made = { storeCalls: result.storeCallCount, births: births.length, snapshots: snapshots.length };
    const collected = {
      merges: result.mergeCount,
      collected: result.collectedCount,
      repeated: seed % repeatEvery === 0 ? 1 : 0,
    };
    return { seed, wrong, counts: { ...result.counts, ...made, ...collected } };
  } catch (error) {
    return { seed, wrong: [String(error instanceof Error ? error.stack : error)], counts: {} };
  }
}

/** One process's share. */
async function runShare(share: number): Promise<void> {
  for (let seed = first + share; seed < first + count; seed += processCount) {
    const result = await runSeed(seed);
    await new Promise((resolve) => process.send?.(result, resolve));
  }
}

async function runAll(): Promise<void> {
  const startMs = performance.now();
  const totals: Record<string, number> = createFaultCounts();
  let doneCount = 0;
  const children = Array.from({ length: processCount }, (_, share) =>
    fork(fileURLToPath(import.meta.url), { env: { ...process.env, SHARE: String(share) } }),
  );
  const take = ({ seed, wrong, counts }: SeedResult): void => {
    if (wrong.length > 0) {
      process.stdout.write(`seed ${seed}: ${wrong.length} findings\n${wrong.slice(0, 20).join('\n')}\n`);
      for (const child of children) child.kill();
      process.exit(1);
    }
    for (const [kind, added] of Object.entries(counts)) totals[kind] = (totals[kind] ?? 0) + added;
    if (++doneCount % 50 > 0) return;
    const seconds = (performance.now() - startMs) / 1000;
    process.stdout.write(`${doneCount} of ${count} seeds, ${(doneCount / seconds).toFixed(1)}/s\n`);
  };
  const ends = children.map((child) => {
    child.on('message', (message) => take(message as SeedResult));
    return new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
  });
  const isWhole = (await Promise.all(ends)).every((code) => code === 0) && doneCount === count;
  const never = Object.keys(totals).filter((kind) => totals[kind] === 0);
  process.stdout.write(`${JSON.stringify(totals, undefined, 2)}\n`);
  if (!isWhole) process.stdout.write(`only ${doneCount} of ${count} seeds were run\n`);
  if (never.length > 0) process.stdout.write(`never happened: ${never.join(', ')}\n`);
  if (!isWhole || (never.length > 0 && count >= repeatEvery)) process.exit(1);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  process.stdout.write(`${count} seeds from ${first} in ${seconds} s, nothing wrong\n`);
}

if (process.env.SHARE === undefined) await runAll();
else await runShare(Number(process.env.SHARE));
