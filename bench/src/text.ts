/**
 * BM25 in the engine (plan, search and ids on the calling thread) against tantivy, LanceDB FTS and MiniSearch on the WordNet glosses, and on eight times as
 * many texts made of halves of them. All get the same words; the top ten are compared with brute force.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSeededRandom } from '@lagoon/base';
import { fullTextSearchDefaults } from '@lagoon/format';
import { readWordnet } from '@lagoon/server/datasets';
import { connect, Index } from '@lancedb/lancedb';
import MiniSearch from 'minisearch';
import { quantile } from './statistics.ts';
import { searchByTantivy } from './tantivy.ts';
import { openTextEngine } from './text-engine.ts';

const queryCount = 200;
const bruteForceCount = 10;
const miniQueryCount = 30;
const limit = 10;
const copies = 8;
const wordCounts = [1, 2, 5];

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

/** The glosses, then texts of the first half of one and the second half of another. */
function multiply(glosses: readonly string[]): string[] {
  return Array.from({ length: copies }, (_, copy) =>
    glosses.map((gloss, i) => {
      if (copy === 0) return gloss;
      const [a, b] = [gloss, glosses[(i * 7_919 + copy * 104_729) % glosses.length] ?? ''].map((text) =>
        text.split(' '),
      );
      return [...(a ?? []).slice(0, (a?.length ?? 0) >> 1), ...(b ?? []).slice((b?.length ?? 0) >> 1)].join(' ');
    }),
  ).flat();
}

/** Different words of one gloss. */
function makeQueries(glosses: readonly string[], wordCount: number): string[][] {
  const random = createSeededRandom(wordCount);
  const queries: string[][] = [];
  while (queries.length < queryCount) {
    const words = [...new Set((glosses[random.integer(glosses.length)] ?? '').split(' '))];
    if (words.length < wordCount) continue;
    queries.push(Array.from({ length: wordCount }, () => words.splice(random.integer(words.length), 1)[0] ?? ''));
  }
  return queries;
}

function bruteForce(texts: readonly string[][], words: readonly string[]): number[] {
  const average = texts.reduce((sum, text) => sum + text.length, 0) / texts.length;
  const weights = words.map((word) => {
    const frequency = texts.filter((text) => text.includes(word)).length;
    return Math.log(1 + (texts.length - frequency + 0.5) / (frequency + 0.5)) * 2.2;
  });
  return texts
    .map((text, row) => {
      const norm = 1.2 * (0.25 + (0.75 * text.length) / average);
      const score = words.reduce((sum, word, i) => {
        const frequency = text.filter((one) => one === word).length;
        return frequency === 0 ? sum : sum + (weights[i] ?? 0) * (1 / (1 + norm / frequency));
      }, 0);
      return { row, score };
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.row - b.row)
    .slice(0, limit)
    .map(({ row }) => row);
}

/** After a round of all of them, which also compiles what is JavaScript: the second run of each. */
async function timed(queries: readonly string[][], search: (query: string) => Promise<unknown>): Promise<number[]> {
  for (const words of queries) await search(words.join(' '));
  const figures: number[] = [];
  for (const words of queries) {
    await search(words.join(' '));
    const startedAt = performance.now();
    await search(words.join(' '));
    figures.push(performance.now() - startedAt);
  }
  return figures;
}

async function openLance(directory: string, texts: readonly string[]): Promise<(query: string) => Promise<unknown>> {
  const database = await connect(join(directory, 'lance'));
  const rows = texts.map((text, id) => ({ id, text }));
  const table = await database.createTable(`texts${texts.length}`, rows);
  const config = Index.fts({ stem: false, removeStopWords: false, asciiFolding: false, withPosition: false });
  await table.createIndex('text', { config });
  return (query) => table.query().fullTextSearch(query).select(['id', '_score']).limit(limit).toArray();
}

function openMini(texts: readonly string[]): (query: string) => Promise<unknown> {
  const index = new MiniSearch({ fields: ['text'], tokenize: (text) => text.split(' ') });
  index.addAll(texts.map((text, id) => ({ id, text })));
  return async (query) => index.search(query).slice(0, limit);
}

const directory = mkdtempSync(join(tmpdir(), 'lagoon-bench-text-'));
const glosses = (await readWordnet()).map(({ gloss }) => wordsOf(gloss).join(' '));
const p50 = (figures: readonly number[] | undefined): string =>
  figures === undefined ? '       -' : quantile(figures, 0.5).toFixed(3).padStart(8);
process.stdout.write('   texts  words   Lagoon  tantivy  LanceDB     Mini   p50 in ms, top 10, any word\n');
for (const texts of [glosses, multiply(glosses)]) {
  const isSmall = texts.length === glosses.length;
  const engine = await openTextEngine(texts, fullTextSearchDefaults);
  const lance = await openLance(directory, texts);
  const mini = isSmall ? openMini(texts) : undefined;
  const split = isSmall ? texts.map((text) => text.split(' ')) : [];
  let [same, compared] = [0, 0];
  const sets = wordCounts.map((wordCount) => makeQueries(glosses, wordCount));
  const tantivy = await searchByTantivy(directory, { texts, queries: sets.flat(), limit, rows: false });
  for (const [i, queries] of sets.entries()) {
    const own = await timed(queries, (query) => engine.search(query, limit));
    const tantivyMs = tantivy?.slice(i * queryCount, (i + 1) * queryCount).map(({ ms }) => ms);
    const lanceMs = await timed(queries, lance);
    const miniMs = mini && (await timed(queries.slice(0, miniQueryCount), mini));
    process.stdout.write(
      `${String(texts.length).padStart(8)}  ${String(wordCounts[i]).padStart(5)} ${p50(own)} ${p50(tantivyMs)} ${p50(lanceMs)} ${p50(miniMs)}\n`,
    );
    for (const words of isSmall ? queries.slice(0, bruteForceCount) : []) {
      const { rows } = await engine.search(words.join(' '), limit);
      compared++;
      if (JSON.stringify(rows) === JSON.stringify(bruteForce(split, words))) same++;
    }
  }
  if (isSmall) process.stdout.write(`          top ten as by brute force: ${same} of ${compared} queries\n`);
  process.stdout.write(`          segment built in ${(engine.buildMs / 1_000).toFixed(1)} s\n`);
  await engine.close();
}
rmSync(directory, { recursive: true });
