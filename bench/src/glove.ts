import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gloveDims, gloveRowCount, parseNumbers, readGloveEntries } from '@lagoon/server/datasets';
import type { Vectors } from './vectors.ts';

/** All GloVe rows; parsed once, then kept as packed f32 in `.cache/`. */
export async function loadGlove(): Promise<Vectors> {
  const path = resolve(import.meta.dirname, '../../.cache/datasets/glove-100d.f32');
  if (!existsSync(path)) await writePacked(path);
  const bytes = await readFile(path);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  return { rowCount: values.length / gloveDims, dims: gloveDims, values };
}

async function writePacked(path: string): Promise<void> {
  const values = new Float32Array(gloveRowCount * gloveDims);
  let row = 0;
  for await (const entry of readGloveEntries())
    values.set(parseNumbers(entry.numbers).slice(0, gloveDims), row++ * gloveDims);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(`${path}.new`, new Uint8Array(values.buffer));
  await rename(`${path}.new`, path);
}

/** A row of the set, each number moved by so much at most, so that no query is a stored vector. */
export function queryVector(glove: Vectors, index: number, moved: number): Float32Array {
  const row = (index * 7919) % glove.rowCount;
  const query = glove.values.slice(row * glove.dims, (row + 1) * glove.dims);
  for (let d = 0; d < query.length; d++) query[d] = (query[d] as number) + moved * Math.sin(index * 31 + d);
  return query;
}
