/**
 * A hybrid query (nearest sentence vectors and BM25, both under one filter, fused by RRF over one snapshot) beside its two parts run alone, on the WordNet
 * glosses: in the engine on the calling thread, and through HTTP where one request stands beside two. All three alternate; of each question the fastest of
 * three rounds counts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSeededRandom } from '@lagoon/base';
import { encodeBlock, fullTextSearchDefaults, openBlock, type Schema } from '@lagoon/format';
import type { Filter, QueryEngine, QuerySpec } from '@lagoon/query';
import { readWordnet, type WordnetDocument } from '@lagoon/server/datasets';
import { buildIvf, createThreadExecutor, loadKernelModule } from '@lagoon/vector';
import { reportAtMost } from './figure.ts';
import { loadGlove } from './glove.ts';
import { createHttpClient, untilIndexed } from './http-client.ts';
import { startLagoon } from './lagoon-process.ts';
import { openOneSegment } from './one-segment-engine.ts';
import { loadSentences } from './sentence-vectors.ts';
import { quantile } from './statistics.ts';
import { rowOf, type Vectors } from './vectors.ts';

const queryCount = 300;
const roundCount = 3;
const wordCount = 3;
/** Rows of each part that take part in the fusion, and rows that are answered. */
const partLimit = 100;
const limit = 10;
const rankConstant = 60;
const partOfSpeech = 'verb';
const rowsPerWrite = 2_000;
const ratioAim = 1.5;

interface Question {
  readonly vector: Float32Array;
  readonly words: string;
}

/** Each answers once; what they have in common is up to them. */
interface Searches {
  dense(question: Question): Promise<unknown>;
  text(question: Question): Promise<unknown>;
  hybrid(question: Question): Promise<unknown>;
}

async function main(): Promise<void> {
  const documents = await readWordnet();
  const vectors = await vectorsOf(documents.length);
  const questions = makeQuestions(documents, vectors);
  const { engine } = await openEngine(documents, vectors);
  await compare('in the engine', questions, engineSearches(engine));
  await engine.close();
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-bench-'));
  try {
    await throughHttp(documents, vectors, questions, folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function vectorsOf(rowCount: number): Promise<Vectors> {
  const sentences = await loadSentences();
  if (sentences !== undefined) return sentences.vectors;
  print('GloVe vectors stand for those of the sentences: times are of 100 dimensions');
  const { dims, values } = await loadGlove();
  return { rowCount, dims, values: values.subarray(0, rowCount * dims) };
}

/** Words of one gloss, and a vector near it. */
function makeQuestions(documents: readonly WordnetDocument[], vectors: Vectors): readonly Question[] {
  const random = createSeededRandom(1);
  return Array.from({ length: queryCount }, () => {
    const row = random.integer(documents.length);
    const words = [...new Set(documents[row]?.gloss.toLowerCase().match(/[a-z]+/g))];
    const chosen = Array.from({ length: wordCount }, () => words.splice(random.integer(words.length), 1)[0] ?? '');
    const vector = rowOf(vectors, row).map((number) => number + 0.02 * (random.float() - 0.5));
    return { vector, words: chosen.join(' ').trim() };
  });
}

function openEngine(documents: readonly WordnetDocument[], { dims, values }: Vectors) {
  const string = { kind: 'scalar', scalar: 'string' } as const;
  const type = { kind: 'vector', element: 'f32', dims } as const;
  const schema: Schema = {
    idKind: 'u64',
    attributes: new Map([
      ['vector', { type, filterable: false, ann: { distanceMetric: 'cosine_distance' } }],
      ['gloss', { type: string, filterable: false, fullTextSearch: fullTextSearchDefaults }],
      ['pos', { type: string, filterable: true }],
    ]),
  };
  const columns = [
    { name: 'vector', type, values },
    { name: 'gloss', type: string, values: documents.map(({ gloss }) => gloss) },
    { name: 'pos', type: string, values: documents.map(({ pos }) => pos) },
  ];
  const ids = documents.map((_, row) => BigInt(row));
  const block = openBlock(encodeBlock({ idKind: 'u64', ids, deletes: [], columns }), { verify: false });
  return openOneSegment(block, schema, {
    arenaBytes: (256 << 20) + 2 * values.byteLength,
    textIndexBytesMax: 256 << 20,
    cluster: {
      rowCountMin: 1,
      build: async (source, asked) => {
        const module = loadKernelModule();
        const executor = createThreadExecutor(module, 2);
        const index = await buildIvf(source, asked, module, executor);
        await executor.close();
        return index;
      },
    },
  });
}

function engineSearches(engine: QueryEngine): Searches {
  const consistency = { level: 'eventual', stalenessMsMax: 3_600_000, generationMin: 0 } as const;
  const filter: Filter = { kind: 'comparison', attribute: 'pos', operator: 'eq', values: [partOfSpeech] };
  const specOf = (rankBy: QuerySpec['rankBy']): QuerySpec => ({
    ...{ rankBy, filter, limit: partLimit, projection: { kind: 'none' } },
  });
  const dense = ({ vector }: Question) => specOf({ kind: 'vector', attribute: 'vector', query: vector, exact: false });
  const text = ({ words }: Question) =>
    specOf({
      kind: 'text',
      expression: { kind: 'bm25', attribute: 'gloss', query: words, lastAsPrefix: false },
    });
  const ask = (specs: readonly QuerySpec[]) => engine.queryAll('bench', specs, consistency);
  return {
    dense: (question) => ask([dense(question)]),
    text: (question) => ask([text(question)]),
    hybrid: async (question) => {
      const scores = new Map<bigint, number>();
      for (const { rows } of await ask([dense(question), text(question)])) {
        for (const [rank, { id }] of rows.entries()) {
          scores.set(BigInt(id), (scores.get(BigInt(id)) ?? 0) + 1 / (rankConstant + rank + 1));
        }
      }
      return [...scores].sort(([, a], [, b]) => b - a).slice(0, limit);
    },
  };
}

async function throughHttp(
  documents: readonly WordnetDocument[],
  vectors: Vectors,
  questions: readonly Question[],
  folder: string,
): Promise<void> {
  await using lagoon = await startLagoon(join(folder, 'data'));
  using client = createHttpClient(lagoon.url, 1);
  const path = '/v2/namespaces/glosses';
  const schema = {
    vector: { type: `[${vectors.dims}]f32`, ann: true },
    gloss: { type: 'string', full_text_search: true },
  };
  for (let start = 0; start < documents.length; start += rowsPerWrite) {
    const rows = documents.slice(start, start + rowsPerWrite).map(({ gloss, pos }, i) => ({
      ...{ id: start + i, vector: base64(rowOf(vectors, start + i)), gloss, pos },
    }));
    await client.post(path, JSON.stringify({ upsert_rows: rows, schema, distance_metric: 'cosine_distance' }));
  }
  print(`index lag zero ${(await untilIndexed(client, 'glosses', 600)).toFixed(1)} s after the last write`);
  const filters = ['pos', 'Eq', partOfSpeech];
  const dense = ({ vector }: Question) => ({ rank_by: ['vector', 'ANN', base64(vector)], filters, limit: partLimit });
  const text = ({ words }: Question) => ({ rank_by: ['gloss', 'BM25', words], filters, limit: partLimit });
  const ask = (body: unknown) => client.post(`${path}/query`, JSON.stringify(body));
  await compare('through HTTP', questions, {
    dense: (question) => ask(dense(question)),
    text: (question) => ask(text(question)),
    hybrid: (question) => ask({ queries: [dense(question), text(question)], rerank_by: ['RRF'], limit }),
  });
}

async function compare(where: string, questions: readonly Question[], searches: Searches): Promise<void> {
  const times = { dense: unmeasured(), text: unmeasured(), hybrid: unmeasured() };
  for (let round = 0; round <= roundCount; round++) {
    for (const [i, question] of questions.entries()) {
      for (const kind of ['dense', 'text', 'hybrid'] as const) {
        const startedAt = performance.now();
        await searches[kind](question);
        // The first round warms up. A question's fastest time counts, for a long one is more often interrupted by other work than a short one.
        if (round > 0) times[kind][i] = Math.min(times[kind][i] as number, performance.now() - startedAt);
      }
    }
  }
  const [dense, text, hybrid] = [times.dense, times.text, times.hybrid].map((one) => quantile(one, 0.5)) as [
    number,
    number,
    number,
  ];
  print(
    `${where}: p50 of the vectors ${dense.toFixed(2)} ms, of BM25 ${text.toFixed(2)} ms, of both fused ${hybrid.toFixed(2)} ms (top ${partLimit} of each, a filter of one part of speech)`,
  );
  reportAtMost(`hybrid ${where}: p50 / sum of its parts run alone`, hybrid / (dense + text), ratioAim);
}

function unmeasured(): number[] {
  return Array.from({ length: queryCount }, () => Number.POSITIVE_INFINITY);
}

function base64(vector: Float32Array): string {
  return Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
