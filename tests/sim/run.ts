/** `make sim`: runs seeds FIRST to FIRST + SEEDS − 1, the even ones over days with garbage collection, and stops at the first that finds something wrong. */
import { createFaultCounts, type FaultCounts } from './faults.ts';
import { collectingSimulationOf, simulate, simulationOf } from './simulation.ts';

const first = Number(process.env.FIRST ?? 1);
const count = Number(process.env.SEEDS ?? 300);
const totals = createFaultCounts();
let storeCallCount = 0;
const startedAt = performance.now();

for (let seed = first; seed < first + count; seed++) {
  const result = await simulate(seed % 2 === 0 ? collectingSimulationOf(seed) : simulationOf(seed)).catch(
    (error: unknown) => {
      process.stdout.write(`seed ${seed}: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
  storeCallCount += result.storeCallCount;
  for (const kind of Object.keys(totals) as (keyof FaultCounts)[]) totals[kind] += result.counts[kind];
  if (result.wrong.length > 0) {
    process.stdout.write(`seed ${seed}: ${result.wrong.length} findings\n${result.wrong.slice(0, 20).join('\n')}\n`);
    process.exit(1);
  }
  if ((seed - first + 1) % 10 === 0) {
    const perSecond = ((seed - first + 1) * 1000) / (performance.now() - startedAt);
    process.stdout.write(`${seed - first + 1} of ${count} seeds, ${perSecond.toFixed(1)}/s\n`);
  }
}
process.stdout.write(
  `${count} seeds, ${storeCallCount} store calls, nothing wrong\n${JSON.stringify(totals, undefined, 2)}\n`,
);
