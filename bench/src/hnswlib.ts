import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { benchCache, hasPythonModules, startPython } from './python.ts';
import type { Vectors } from './vectors.ts';

const m = 16;
const efConstruction = 200;

/** The in-memory graph of hnswlib in a Python process, timed inside it. */
export interface HnswlibPeer extends Disposable {
  readonly buildSeconds: number;
  /** Whether the graph is that of an earlier run: then the build's seconds are too. */
  readonly wasKept: boolean;
  /** All queries once, one after the other on one thread. */
  search(ef: number): Promise<{ readonly times: number[]; readonly found: number[][] }>;
}

/**
 * Builds the graph with all cores, or takes the one that an earlier run left for the same rows; undefined, and said so, where the package is not there.
 * `folder` is for the vectors on their way.
 */
export async function startHnswlib(
  rows: Vectors,
  queries: readonly Float32Array[],
  k: number,
  folder: string,
): Promise<HnswlibPeer | undefined> {
  if (!hasPythonModules('hnswlib', ['numpy', 'hnswlib'])) return undefined;
  await mkdir(benchCache, { recursive: true });
  const checksum = createHash('sha256').update(rows.values).digest('hex').slice(0, 16);
  const task = {
    rows: join(folder, 'hnswlib-rows.f32'),
    queries: join(folder, 'hnswlib-queries.f32'),
    graph: join(benchCache, `hnswlib-${checksum}-${m}-${efConstruction}.graph`),
    ...{ dims: rows.dims, k, m, efConstruction, threads: availableParallelism() },
  };
  await writeFile(task.rows, rows.values);
  await writeFile(
    task.queries,
    Buffer.concat(queries.map((query) => Buffer.from(query.buffer, query.byteOffset, query.byteLength))),
  );
  const taskPath = join(folder, 'hnswlib.json');
  await writeFile(taskPath, JSON.stringify(task));
  const child = startPython('hnswlib_search.py', [taskPath]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('the process of hnswlib ended');
    return JSON.parse(value);
  };
  const built: { seconds: number; kept: boolean } = await answer();
  return {
    buildSeconds: built.seconds,
    wasKept: built.kept,
    search: async (ef) => {
      child.stdin.write(`${ef}\n`);
      return await answer();
    },
    [Symbol.dispose]: () => {
      child.stdin.end();
      child.kill();
    },
  };
}
