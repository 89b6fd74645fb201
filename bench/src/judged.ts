/**
 * nDCG@10 on judged collections, of BM25 in the engine and in tantivy with the same words (stemmed, without stopwords). JUDGED names a folder with
 * cranfield/ and npl/ as these collections are distributed; without it there is nothing to measure.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fullTextSearchDefaults } from '@lagoon/format';
import { createAnalyzer } from '@lagoon/text';
import { mean } from './statistics.ts';
import { searchByTantivy } from './tantivy.ts';
import { openTextEngine } from './text-engine.ts';

interface Collection {
  readonly name: string;
  readonly texts: readonly string[];
  readonly queries: readonly string[];
  /** By query: rows that were judged relevant. */
  readonly relevant: readonly ReadonlySet<number>[];
}

const limit = 10;
const settings = { ...fullTextSearchDefaults, stemming: true, removeStopwords: true };

function readCranfield(folder: string): Collection {
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const documents = [
    ...read('cran.all.1400.xml').matchAll(/<docno>\s*(\d+)\s*<\/docno>[\s\S]*?<text>([\s\S]*?)<\/text>/g),
  ];
  const rowOf = new Map(documents.map(([, number], row) => [Number(number), row]));
  const queries = [...read('cran.qry.xml').matchAll(/<title>([\s\S]*?)<\/title>/g)].map(([, text]) => text ?? '');
  const relevant = queries.map(() => new Set<number>());
  for (const line of read('cranqrel.trec.txt').split('\n')) {
    const [query, , number, grade] = line.trim().split(/\s+/).map(Number);
    const row = rowOf.get(number ?? -1);
    if (row !== undefined && (grade ?? 0) > 0) relevant[(query ?? 0) - 1]?.add(row);
  }
  return { name: 'Cranfield', texts: documents.map(([, , text]) => text ?? ''), queries, relevant };
}

/** Parts of `number, lines, /`. */
function readNpl(folder: string): Collection {
  const read = (name: string): string[] =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/^\s*\d+\s*\n([\s\S]*?)\n\s*\/\s*$/gm)].map(
      ([, text]) => text ?? '',
    );
  const relevant = read('rlv-ass').map(
    (text) =>
      new Set(
        text
          .trim()
          .split(/\s+/)
          .map((number) => Number(number) - 1),
      ),
  );
  return { name: 'NPL', texts: read('doc-text'), queries: read('query-text'), relevant };
}

function ndcg(rows: readonly number[], relevant: ReadonlySet<number>): number {
  const gain = (position: number): number => 1 / Math.log2(position + 2);
  const found = rows.reduce((sum, row, position) => sum + (relevant.has(row) ? gain(position) : 0), 0);
  let ideal = 0;
  for (let position = 0; position < Math.min(limit, relevant.size); position++) ideal += gain(position);
  return ideal === 0 ? 0 : found / ideal;
}

const folder = process.env.JUDGED;
if (folder === undefined) process.stdout.write('JUDGED names no folder: not measured\n');
for (const collection of folder === undefined
  ? []
  : [readCranfield(join(folder, 'cranfield')), readNpl(join(folder, 'npl'))]) {
  const { name, texts, queries, relevant } = collection;
  const engine = await openTextEngine(texts, settings);
  const own: number[] = [];
  for (const [i, query] of queries.entries()) {
    const { rows } = await engine.search(query, limit);
    own.push(ndcg(rows, relevant[i] ?? new Set()));
  }
  await engine.close();
  const analyzer = createAnalyzer(settings);
  const directory = mkdtempSync(join(tmpdir(), 'lagoon-bench-judged-'));
  const found = await searchByTantivy(directory, {
    texts: texts.map((text) => analyzer.tokenize(text).join(' ')),
    queries: queries.map((query) => analyzer.tokenize(query)),
    ...{ limit, rows: true },
  });
  rmSync(directory, { recursive: true });
  const tantivy = found?.map(({ rows }, i) => ndcg(rows, relevant[i] ?? new Set()));
  process.stdout.write(
    `${name}: ${texts.length} texts, ${queries.length} queries, nDCG@10 ${mean(own).toFixed(4)}, tantivy ${tantivy === undefined ? '-' : mean(tantivy).toFixed(4)}\n`,
  );
}
