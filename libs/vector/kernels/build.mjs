/**
 * Compiles the AssemblyScript kernels to `libs/vector/dist/kernels.wasm`. Does nothing when the artefact is newer than
 * every source and than this file; `--force` compiles anyway.
 */
import { mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const sources = join(here, 'assembly');
const artefact = join(here, '..', 'dist', 'kernels.wasm');

function isFresh() {
  const built = statSync(artefact, { throwIfNoEntry: false });
  if (built === undefined) return false;
  const inputs = [fileURLToPath(import.meta.url), ...readdirSync(sources).map((name) => join(sources, name))];
  return inputs.every((input) => statSync(input).mtimeMs < built.mtimeMs);
}

async function build() {
  const { default: asc } = await import('assemblyscript/asc');
  mkdirSync(dirname(artefact), { recursive: true });
  const partial = `${artefact}.${process.pid}`;
  // Memory is the caller's, of any size up to 4 GiB; nothing is placed in it, so the runtime is the empty one.
  const { error, stderr } = await asc.main([
    ...['scan.ts', 'lists.ts', 'cluster.ts', 'encode.ts'].map((name) => join('assembly', name)),
    ...['--baseDir', here, '--outFile', relative(here, partial)],
    ...['--enable', 'simd,relaxed-simd,threads'],
    ...['-O3', '--noAssert', '--runtime', 'stub'],
    ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ]);
  if (error !== null) throw new Error(`kernels do not compile\n${stderr.toString()}`);
  renameSync(partial, artefact); // never a half-written artefact beside a parallel build
}

if (process.argv.includes('--force') || !isFresh()) await build();
