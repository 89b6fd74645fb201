/** `make bench`: every bench in turn, each in a process of its own so that none inherits another's heap. ONLY=name runs one. */
import { spawn } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';

const benches = [
  ['start', 'start and idle memory'],
  ['kernel', 'kernels against the plain loop'],
  ['ivf', 'lists of vectors: recall, time, size and build'],
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

process.stdout.write(
  `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} threads, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}\n`,
);
for (const [name, title] of benches) {
  if (process.env.ONLY !== undefined && process.env.ONLY !== name) continue;
  process.stdout.write(`\n## ${title}\n`);
  const code = await new Promise<number | null>((done) =>
    spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, `${name}.ts`)], {
      stdio: 'inherit',
    }).on('exit', done),
  );
  if (code !== 0) {
    process.stderr.write(`bench ${name} ended with ${code}\n`);
    process.exitCode = 1;
  }
}
