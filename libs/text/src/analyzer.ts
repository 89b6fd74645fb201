import asciiFolder from 'fold-to-ascii';
import { type AnalyzerConfig, isPreTokenized } from './analyzer-config.ts';
import { plainGreek } from './greek.ts';
import { createStemmer } from './stemming.ts';
import { createStopwordTest } from './stopwords.ts';
import { wordsOf } from './words.ts';

/**
 * Turns texts into terms. The same analyzer must be used for an index and its queries. Pure: a term depends on its word
 * and the configuration alone, so callers may remember it per word.
 */
export interface Analyzer {
  /** Whether texts are single words already (pre_tokenized_array). */
  readonly preTokenized: boolean;
  /** The terms of a text in order, repeated ones repeated, dropped words left out. */
  tokenize(text: string): string[];
  /** The terms of several texts in order: the value of a []string attribute, or a query given as tokens. */
  tokenizeAll(texts: readonly string[]): string[];
  /** As `tokenizeAll`, but the last word stands for all words that begin with it. */
  splitPrefix(texts: readonly string[]): SplitPrefix;
  /** Calls back with each term and the position of its word; dropped words count as positions. */
  forEachTerm(text: string, visit: (term: string, position: number) => void): void;
  /** The term of one word as it stands in a text; undefined where it is dropped (too long, stopword). */
  termOf(word: string): string | undefined;
}

/** `prefix` is undefined where there is no last word that could begin another. */
export interface SplitPrefix {
  readonly words: string[];
  readonly prefix:
    | {
        /** How the terms begin: in their case and characters, but neither stemmed nor dropped as a stopword. */
        readonly start: string;
        /** The term of the last word as a whole, which may be shorter. */
        readonly term: string | undefined;
      }
    | undefined;
}

/**
 * `invalid_argument` for an unknown tokenizer, `unimplemented` for a language that there is no data for.
 */
export function createAnalyzer(config: AnalyzerConfig): Analyzer {
  const preTokenized = isPreTokenized(config);
  const termOf = preTokenized ? createLengthFilter(config.maxTokenLength) : createTermFilter(config);
  const split = preTokenized ? (text: string) => [text] : wordsOf;
  const forEachTerm = (text: string, visit: (term: string, position: number) => void): void => {
    for (const [position, word] of split(text).entries()) {
      const term = termOf(word);
      if (term !== undefined) visit(term, position);
    }
  };
  const tokenizeAll = (texts: readonly string[]): string[] => {
    const terms: string[] = [];
    for (const text of texts) forEachTerm(text, (term) => terms.push(term));
    return terms;
  };
  const startOf = preTokenized ? termOf : createStartFilter(config);
  const splitPrefix = (texts: readonly string[]): SplitPrefix => {
    const words = texts.flatMap((text) => split(text));
    const last = words.pop();
    const start = last === undefined ? undefined : startOf(last);
    const terms = words.flatMap((word) => termOf(word) ?? []);
    const prefix = last === undefined || start === undefined ? undefined : { start, term: termOf(last) };
    return { words: terms, prefix };
  };
  return { splitPrefix, preTokenized, tokenize: (text) => tokenizeAll([text]), tokenizeAll, forEachTerm, termOf };
}

type TermFilter = (word: string) => string | undefined;

function createLengthFilter(lengthMax: number): TermFilter {
  return (word) => (word.length === 0 || Buffer.byteLength(word) > lengthMax ? undefined : word);
}

/** How terms begin that were made of words which begin with this one. */
function createStartFilter(config: AnalyzerConfig): TermFilter {
  const filter = createTermFilter({ ...config, stemming: false, removeStopwords: false });
  if (!config.stemming || config.language !== 'greek') return filter;
  return (word) => {
    const start = filter(word);
    return start === undefined ? undefined : plainGreek(start);
  };
}

/** Length, canonical composition, one apostrophe, case, stopwords, stem, ASCII: stopwords and stems need the accents. */
function createTermFilter(config: AnalyzerConfig): TermFilter {
  const fitsLength = createLengthFilter(config.maxTokenLength);
  const toCase = config.caseSensitive ? (word: string) => word : createLowerCase(config.language);
  const isStopword = config.removeStopwords ? createStopwordTest(config.language) : undefined;
  const stem = config.stemming ? createStemmer(config.language) : undefined;
  return (word) => {
    if (fitsLength(word) === undefined) return undefined;
    const cased = toCase(word.normalize('NFC').replaceAll('’', "'"));
    if (isStopword?.(cased) === true) return undefined;
    const stemmed = stem === undefined ? cased : stem(cased);
    return config.asciiFolding ? foldToAscii(stemmed) : stemmed;
  };
}

function createLowerCase(language: string): (word: string) => string {
  return language === 'turkish' ? (word) => word.toLocaleLowerCase('tr') : (word) => word.toLowerCase();
}

/** Lucene's table, then whatever base letter is left under combining marks. */
function foldToAscii(word: string): string {
  return asciiFolder
    .foldMaintaining(word)
    .normalize('NFD')
    .replace(/\p{Mn}/gu, '');
}
