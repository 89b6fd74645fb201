import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TantivyTask {
  /** Words are separated by single spaces: they are the terms. */
  readonly texts: readonly string[];
  readonly queries: readonly (readonly string[])[];
  readonly limit: number;
  /** Whether to answer the rows that were found. */
  readonly rows: boolean;
}

/** Searches by tantivy in a Python process; undefined where that Python does not have it. PYTHON names another one. */
export function searchByTantivy(
  directory: string,
  task: TantivyTask,
): { readonly ms: number; readonly rows: number[] }[] | undefined {
  const texts = join(directory, 'texts.txt');
  const file = join(directory, 'task.json');
  writeFileSync(texts, task.texts.join('\n'));
  writeFileSync(file, JSON.stringify({ ...task, texts }));
  const python = process.env.PYTHON ?? 'python3';
  const script = join(import.meta.dirname, 'tantivy_search.py');
  const { status, stdout } = spawnSync(python, [script, file], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return status === 0 ? JSON.parse(stdout) : undefined;
}
