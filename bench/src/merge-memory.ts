/** What a merge takes of memory: segments of ten times the heap, in a process whose heaps are limited, with lists of vectors and without. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { silentLog } from '@lagoon/base';
import { createWorkerBuildPool } from '@lagoon/compactor';
import { dims, heapMebibytes, rowsPerSegment, segmentCount, writeSegments } from './merge-memory-data.ts';
import type { MergeMemory } from './merge-memory-process.ts';

const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`;

async function run(kind: 'plain' | 'lists'): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'lagoon-bench-'));
  try {
    const scratchDirectory = join(directory, 'scratch');
    await mkdir(scratchDirectory);
    const pool = createWorkerBuildPool(silentLog, { workerCount: 1, scratchDirectory, scratchBytesMax: 1 });
    const dataBytes = await writeSegments(pool, directory, kind === 'lists');
    await pool.close();
    const { stdout } = await promisify(execFile)(process.execPath, [
      '--disable-warning=ExperimentalWarning',
      `--max-old-space-size=${heapMebibytes}`,
      ...[join(import.meta.dirname, 'merge-memory-process.ts'), directory, scratchDirectory, kind],
    ]);
    const { rowCount, seconds, beforeBytes, afterBytes, objectBytes, lists } = JSON.parse(stdout) as MergeMemory;
    if (rowCount !== segmentCount * rowsPerSegment) throw new Error(`${rowCount} rows are left of the merge`);
    if ((lists !== undefined) !== (kind === 'lists')) throw new Error('lists are where the schema says so');
    const title = lists === undefined ? 'without lists' : `with lists (${lists.codec}, ${lists.leafCount} leaves)`;
    process.stdout.write(
      `merge of ${segmentCount} segments, ${mebibytes(dataBytes)}, ${rowCount} × ${dims} f32 and texts, heaps of ${heapMebibytes} MiB, ${title}\n` +
        `  ${seconds.toFixed(1)} s, ${mebibytes(objectBytes)} written; resident memory at most ${mebibytes(afterBytes)}, ${mebibytes(afterBytes - beforeBytes)} more than a merge of one segment takes\n`,
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

await run('plain');
await run('lists');
