/** The same curve as of GloVe (`vector-curve.ts`) on real sentence vectors: the WordNet glosses by all-MiniLM-L6-v2, 384 dimensions. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { report } from './figure.ts';
import { loadSentences } from './sentence-vectors.ts';
import { measureCurve } from './vector-curve.ts';
import { holdOut } from './vectors.ts';

const queryCount = 1_000;
/** Eight dimensions each, as LanceDB advises. */
const subVectors = 48;

async function main(): Promise<void> {
  const sentences = await loadSentences();
  if (sentences === undefined) {
    report({
      name: 'sentences: the curve of GloVe on 384 dimensions',
      aim: 'as GloVe',
      value: 'no encoder',
      met: undefined,
    });
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-bench-'));
  try {
    const { rows, queries } = holdOut(sentences.vectors, queryCount);
    await measureCurve('sentences', rows, queries, folder, subVectors, false);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
