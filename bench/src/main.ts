/**
 * `make bench`: every bench in turn, each in a process of its own so that none inherits another's heap, and one table of all figures that have an aim.
 * ONLY=name,name runs some.
 */
import { spawn } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { type Figure, figureLine, isFigure } from './figure.ts';

const benches = [
  ['start', 'start and idle memory'],
  ['kernel', 'kernels against the plain loop'],
  ['ivf', 'lists of vectors: recall, time, size and build'],
  ['sentence', 'lists of 384-dimensional sentence vectors: the same curve'],
  ['growth', 'time of an ANN query from ten thousand rows to a million'],
  ['filtered-ann', 'recall and time of ANN under filters'],
  ['cold', 'ANN on a node that has nothing in memory, 50 ms per request'],
  ['hybrid', 'vectors, BM25 and a filter in one query, beside its parts'],
  ['filter', 'filters by attribute indexes against scans of columns'],
  ['group-commit', 'group commit on a slow store'],
  ['lookup', 'requests of a look-up, a branch, a snapshot and a restore'],
  ['merge', 'write amplification of a million small documents'],
  ['ann-http', 'ANN through HTTP against LanceDB IVF_FLAT: recall and time'],
  ['merge-memory', 'memory of a merge of ten times the heap'],
  ['exact-knn', 'import, index lag and exact kNN against LanceDB'],
  ['text', 'BM25 against tantivy, LanceDB FTS and MiniSearch'],
  ['judged', 'nDCG@10 of judged queries'],
] as const;

interface Outcome {
  readonly name: string;
  readonly minutes: number;
  readonly exitCode: number | null;
  readonly figures: readonly Figure[];
}

function run(name: string): Promise<Outcome> {
  const startedAt = performance.now();
  const figures: Figure[] = [];
  return new Promise((done) =>
    spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, `${name}.ts`)], {
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    })
      .on('message', (message) => {
        if (isFigure(message)) figures.push(message);
      })
      .on('close', (exitCode) => done({ name, minutes: (performance.now() - startedAt) / 60_000, exitCode, figures })),
  );
}

function printTable(outcomes: readonly Outcome[]): void {
  print('\n## All figures beside their aims');
  for (const { name, minutes, exitCode, figures } of outcomes) {
    print(
      `${name} (${minutes.toFixed(1)} min)${exitCode === 0 ? '' : `: ended with ${exitCode}, what it had to show is missing`}`,
    );
    for (const figure of figures) print(`  ${figureLine(figure)}`);
  }
  const all = outcomes.flatMap(({ figures }) => figures);
  const count = (met: boolean | undefined) => all.filter((figure) => figure.met === met).length;
  const minutes = outcomes.reduce((sum, one) => sum + one.minutes, 0);
  const failed = outcomes.filter(({ exitCode }) => exitCode !== 0).length;
  print(
    `${count(true)} met, ${count(false)} missed, ${count(undefined)} not measured; ${failed} of ${outcomes.length} benches failed; ${minutes.toFixed(0)} minutes`,
  );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const only = process.env.ONLY?.split(',');
const unknown = only?.filter((one) => benches.every(([name]) => name !== one)) ?? [];
if (unknown.length > 0) {
  print(`no bench is called ${unknown.join(', ')}; there are ${benches.map(([name]) => name).join(', ')}`);
  process.exit(1);
}
print(
  `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
);
const outcomes: Outcome[] = [];
for (const [name, title] of benches) {
  if (only !== undefined && !only.includes(name)) continue;
  print(`\n## ${title}`);
  const outcome = await run(name);
  outcomes.push(outcome);
  print(`(${name} took ${outcome.minutes.toFixed(1)} min)`);
  if (outcome.exitCode !== 0) process.exitCode = 1;
}
printTable(outcomes);
