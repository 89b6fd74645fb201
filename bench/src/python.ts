import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** What the benches download and make, apart from the sets themselves; `make clean` keeps it. */
export const benchCache = resolve(import.meta.dirname, '../../.cache/bench');

/** The one that `make bench` set up (bench/requirements.txt), or the one that PYTHON names. */
const python = process.env.PYTHON ?? join(benchCache, 'venv/bin/python');

/**
 * Whether that Python has all of these modules. What is missing is said, for then a peer is not measured.
 */
export function hasPythonModules(peer: string, modules: readonly string[]): boolean {
  const why = modules.map(missingModule).find((reason) => reason !== undefined);
  if (why !== undefined) process.stdout.write(`${peer} is not measured: ${why}\n`);
  return why === undefined;
}

function missingModule(name: string): string | undefined {
  if (process.env.PYTHON === undefined && !existsSync(python)) return `there is no ${python}, which make bench makes`;
  const { status, stderr } = spawnSync(python, ['-c', `import ${name}`], { encoding: 'utf8' });
  return status === 0 ? undefined : stderr?.trim().split('\n').at(-1) || `${python} cannot import ${name}`;
}

export type PythonProcess = ChildProcessByStdio<Writable, Readable, null>;

/** A script beside this file. Its errors go to this process's. */
export function startPython(script: string, args: readonly string[]): PythonProcess {
  return spawn(python, [join(import.meta.dirname, script), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
}
