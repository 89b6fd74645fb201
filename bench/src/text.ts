/**
 * BM25 in the engine (plan, search and ids on the calling thread) against tantivy, LanceDB FTS and MiniSearch on the WordNet glosses, and on a million texts
 * made of halves of them. All get the same words; the top ten are compared with brute force. Of a query the second run counts, for each engine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSeededRandom } from '@lagoon/base';
import { fullTextSearchDefaults } from '@lagoon/format';
import { readWordnet } from '@lagoon/server/datasets';
import { connect, Index } from '@lancedb/lancedb';
import MiniSearch from 'minisearch';
import { reportAtLeast, reportAtMost } from './figure.ts';
import { quantile } from './statistics.ts';
import { searchByTantivy } from './tantivy.ts';
import { openTextEngine } from './text-engine.ts';
import { createTextOracle } from './text-oracle.ts';

const queryCount = 200;
const bruteForceCount = 10;
/** It takes seconds for a query on a million texts. */
const miniQueryCounts = { glosses: 30, million: 3 };
const limit = 10;
const millionCount = 1_000_000;
const wordCounts = [1, 2, 5];

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

/** The glosses, then texts of the first half of one and the second half of another. */
function multiply(glosses: readonly string[]): string[] {
  return Array.from({ length: millionCount }, (_, row) => {
    const [i, copy] = [row % glosses.length, Math.floor(row / glosses.length)];
    const first = (glosses[i] ?? '').split(' ');
    if (copy === 0) return first.join(' ');
    const second = (glosses[(i * 7_919 + copy * 104_729) % glosses.length] ?? '').split(' ');
    return [...first.slice(0, first.length >> 1), ...second.slice(second.length >> 1)].join(' ');
  });
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

/** Rounds of all queries; of each the fastest run counts, as in a server that has been up for a while. */
const roundCount = 8;

async function timed(
  queries: readonly string[][],
  search: (query: string) => Promise<unknown>,
  rounds = roundCount,
): Promise<number[]> {
  const figures = queries.map(() => Infinity);
  for (let round = 0; round < rounds; round++) {
    for (const [i, words] of queries.entries()) {
      const startedAt = performance.now();
      await search(words.join(' '));
      figures[i] = Math.min(figures[i] as number, performance.now() - startedAt);
    }
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
for (const [name, texts] of [
  ['glosses', glosses],
  ['million', multiply(glosses)],
] as const) {
  const engine = await openTextEngine(texts, fullTextSearchDefaults);
  const lance = await openLance(directory, texts);
  const mini = openMini(texts);
  const oracle = createTextOracle(texts);
  let [same, compared] = [0, 0];
  const sets = wordCounts.map((wordCount) => makeQueries(glosses, wordCount));
  const tantivy = await searchByTantivy(directory, {
    texts,
    queries: sets.flat(),
    limit,
    rows: false,
    rounds: roundCount,
  });
  for (const [i, queries] of sets.entries()) {
    const own = await timed(queries, (query) => engine.search(query, limit));
    const tantivyMs = tantivy?.slice(i * queryCount, (i + 1) * queryCount).map(({ ms }) => ms);
    const lanceMs = await timed(queries, lance);
    const miniMs = await timed(queries.slice(0, miniQueryCounts[name]), mini, 3);
    const title = `text, ${texts.length} texts, ${wordCounts[i]} words: p50 in the engine`;
    process.stdout.write(
      `${String(texts.length).padStart(8)}  ${String(wordCounts[i]).padStart(5)} ${p50(own)} ${p50(tantivyMs)} ${p50(lanceMs)} ${p50(miniMs)}\n`,
    );
    reportAtMost(`${title} / tantivy`, ratioTo(own, tantivyMs), 2);
    reportAtMost(`${title} / LanceDB FTS`, ratioTo(own, lanceMs), 1);
    reportAtMost(`${title} / MiniSearch`, ratioTo(own, miniMs), 1, { digits: 4 });
    for (const words of queries.slice(0, bruteForceCount)) {
      const { rows } = await engine.search(words.join(' '), limit);
      compared++;
      if (JSON.stringify(rows) === JSON.stringify(oracle.search(words, limit))) same++;
    }
  }
  reportAtLeast(`text, ${texts.length} texts: top ten as by brute force, of ${compared} queries`, same / compared, 1, {
    unit: '',
  });
  process.stdout.write(`          segment built in ${(engine.buildMs / 1_000).toFixed(1)} s\n`);
  await engine.close();
}
rmSync(directory, { recursive: true });

/** Of the p50 over the queries that both answered. */
function ratioTo(own: readonly number[], other: readonly number[] | undefined): number | undefined {
  return other && quantile(own.slice(0, other.length), 0.5) / quantile(other, 0.5);
}
