import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { hasPythonModules, startPython } from './python.ts';

export interface TantivyTask {
  /** Words are separated by single spaces: they are the terms. */
  readonly texts: readonly string[];
  readonly queries: readonly (readonly string[])[];
  readonly limit: number;
  /** Of each query the fastest run counts. */
  readonly rounds: number;
  /** Whether to answer the rows that were found. */
  readonly rows: boolean;
}

/** Searches by tantivy in a Python process; undefined, and said so, where that Python does not have it. */
export async function searchByTantivy(
  directory: string,
  task: TantivyTask,
): Promise<{ readonly ms: number; readonly rows: number[] }[] | undefined> {
  if (!hasPythonModules('tantivy', ['tantivy'])) return undefined;
  const texts = join(directory, 'texts.txt');
  const file = join(directory, 'task.json');
  writeFileSync(texts, task.texts.join('\n'));
  writeFileSync(file, JSON.stringify({ ...task, texts }));
  return JSON.parse(await readText(startPython('tantivy_search.py', [file]).stdout));
}
