/**
 * Runs the simulations of the hunt HUNT with the seeds SEEDS ("17,1-200") until one of them finds something, and prints that as a JSON object; with
 * ALL=1 until all are done, one object a line.
 */
import { longSimulationOf } from '../long-simulation.ts';
import { collectingSimulationOf, simulate, simulationOf } from '../simulation.ts';
import type { HuntKind } from './mutants.ts';

const kinds = { seconds: simulationOf, hours: collectingSimulationOf, days: longSimulationOf };
const kind = kinds[(process.env.HUNT ?? 'seconds') as HuntKind];
const seeds = (process.env.SEEDS ?? '1').split(',').flatMap((part) => {
  const [first = 1, last = first] = part.split('-').map(Number);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
});

for (const seed of seeds) {
  // A run that does not come to its end is a finding, too.
  const wrong = await simulate(kind(seed)).then(
    (result) => result.wrong,
    (error: unknown) => [String(error instanceof Error ? error.message : error)],
  );
  if (wrong.length === 0) continue;
  process.stdout.write(`${JSON.stringify({ seed, wrong: wrong.slice(0, 5) })}\n`);
  if (process.env.ALL === undefined) break;
}
