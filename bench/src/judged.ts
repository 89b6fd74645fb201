/**
 * nDCG@10 on judged collections, of BM25 in the engine and in tantivy with the same words (stemmed, without stopwords). JUDGED names a folder with
 * cranfield/ and npl/ as these collections are distributed; without it there is nothing to measure.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fullTextSearchDefaults } from '@lagoon/format';
import { createAnalyzer } from '@lagoon/text';
import { report, reportAtLeast } from './figure.ts';
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

/** Parts of `number, lines, /`. Some numbers have no text. */
function readNpl(folder: string): Collection {
  const read = (name: string) =>
    [...readFileSync(join(folder, name), 'utf8').matchAll(/^\s*(\d+)\s*\n([\s\S]*?)\n\s*\/\s*$/gm)].map(
      ([, number, text = '']) => ({ number: Number(number), text }),
    );
  const documents = read('doc-text');
  const rowOf = new Map(documents.map(({ number }, row) => [number, row]));
  const judged = new Map(read('rlv-ass').map(({ number, text }) => [number, text.trim().split(/\s+/).map(Number)]));
  const queries = read('query-text');
  const relevant = queries.map(({ number }) => {
    const rows = (judged.get(number) ?? []).map((document) => rowOf.get(document));
    return new Set(rows.filter((row) => row !== undefined));
  });
  return {
    ...{ name: 'NPL', texts: documents.map(({ text }) => text) },
    ...{ queries: queries.map(({ text }) => text), relevant },
  };
}

function ndcg(rows: readonly number[], relevant: ReadonlySet<number>): number {
  const gain = (position: number): number => 1 / Math.log2(position + 2);
  const found = rows.reduce((sum, row, position) => sum + (relevant.has(row) ? gain(position) : 0), 0);
  let ideal = 0;
  for (let position = 0; position < Math.min(limit, relevant.size); position++) ideal += gain(position);
  return ideal === 0 ? 0 : found / ideal;
}

const folder = process.env.JUDGED;
if (folder === undefined) {
  report({ name: 'nDCG@10 / tantivy on Cranfield and NPL', aim: '≥ 1×', value: 'no JUDGED', met: undefined });
}
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
    ...{ limit, rows: true, rounds: 1 },
  });
  rmSync(directory, { recursive: true });
  const tantivy = found && mean(found.map(({ rows }, i) => ndcg(rows, relevant[i] ?? new Set())));
  process.stdout.write(
    `${name}: ${texts.length} texts, ${queries.length} queries, nDCG@10 ${mean(own).toFixed(4)}, tantivy ${tantivy?.toFixed(4) ?? '-'}\n`,
  );
  reportAtLeast(`nDCG@10 on ${name} / tantivy`, tantivy && mean(own) / tantivy, 1, { digits: 4 });
}
