import type { Column, FullTextSearch, ScalarColumn } from '@lagoon/format';
import type { Analyzer } from '@lagoon/text';
import type { TokenOperator } from './filter.ts';
import type { FilterPlan } from './query-plan.ts';

/** A term of a token filter. */
export interface WantedTerm {
  readonly term: string;
  /** Besides `term`, all terms that begin so. */
  readonly prefix: string | undefined;
  /** Words between two terms count, dropped ones too. */
  readonly position: number;
}

/** A token filter with its terms made by the attribute's analyzer; without terms it matches nothing. */
export interface TokenMatcher {
  readonly operator: TokenOperator;
  readonly terms: readonly WantedTerm[];
  /** Whether the texts of a row, the elements of an array in order, have the terms. */
  matches(texts: readonly string[]): boolean;
}

type TokensPlan = Extract<FilterPlan, { readonly kind: 'tokens' }>;

export function compileTokens(plan: TokensPlan, analyzerOf: (settings: FullTextSearch) => Analyzer): TokenMatcher {
  const analyzer = analyzerOf(plan.settings);
  const terms = wantedTerms(plan, analyzer, analyzerOf);
  const { operator } = plan;
  const matches =
    operator === 'sequence' ? createSequenceTest(analyzer, terms) : createSetTest(analyzer, terms, operator);
  return { operator, terms, matches: terms.length === 0 ? () => false : matches };
}

function wantedTerms(
  { texts, lastAsPrefix, settings }: TokensPlan,
  analyzer: Analyzer,
  analyzerOf: (settings: FullTextSearch) => Analyzer,
): readonly WantedTerm[] {
  const terms = positionedTerms(analyzer, texts);
  const prefix = lastAsPrefix ? analyzer.splitPrefix(texts).prefix : undefined;
  if (prefix === undefined) return terms;
  const { start, term = start } = prefix;
  const words = positionedTerms(analyzerOf({ ...settings, stemming: false, removeStopwords: false }), texts);
  const position = words.at(-1)?.position ?? 0;
  return [...terms.filter((one) => one.position < position), { term, prefix: start, position }];
}

/** Positions go on from text to text: each one but the last is at least one word long. */
function positionedTerms(analyzer: Analyzer, texts: readonly string[]): WantedTerm[] {
  const terms: WantedTerm[] = [];
  let base = 0;
  for (const text of texts) {
    let last = 0;
    analyzer.forEachTerm(text, (term, position) => {
      terms.push({ term, prefix: undefined, position: base + position });
      last = position;
    });
    base += last + 1;
  }
  return terms;
}

function isWanted({ term, prefix }: WantedTerm, found: string | undefined): boolean {
  return found !== undefined && (found === term || (prefix !== undefined && found.startsWith(prefix)));
}

function createSetTest(
  analyzer: Analyzer,
  terms: readonly WantedTerm[],
  operator: 'all' | 'any',
): (texts: readonly string[]) => boolean {
  return (texts) => {
    const found = new Set(analyzer.tokenizeAll(texts));
    const has = (wanted: WantedTerm): boolean =>
      found.has(wanted.term) || (wanted.prefix !== undefined && [...found].some((one) => isWanted(wanted, one)));
    return operator === 'all' ? terms.every(has) : terms.some(has);
  };
}

/** The terms at the distances that they have in the query, within one text; words of a tokenized array are one text. */
function createSequenceTest(analyzer: Analyzer, terms: readonly WantedTerm[]): (texts: readonly string[]) => boolean {
  const first = terms[0]?.position ?? 0;
  const offsets = terms.map(({ position }) => position - first);
  return (texts) => {
    for (const words of wordsOf(analyzer, texts)) {
      for (let start = 0; start < words.length; start++) {
        if (terms.every((term, i) => isWanted(term, words[start + (offsets[i] as number)]))) return true;
      }
    }
    return false;
  };
}

/** By position, a hole where a word was dropped. */
function wordsOf(analyzer: Analyzer, texts: readonly string[]): (string | undefined)[][] {
  if (analyzer.preTokenized) return [texts.map((text) => analyzer.termOf(text))];
  return texts.map((text) => {
    const words: (string | undefined)[] = [];
    analyzer.forEachTerm(text, (term, position) => {
      words[position] = term;
    });
    return words;
  });
}

/** The texts of a row that is not missing. */
export function textsAt(column: Column, row: number): readonly string[] {
  if (column.kind === 'vector') return [];
  if (column.kind === 'scalar') return [textAt(column, row)];
  const { rowOffsets, elements } = column;
  const texts: string[] = [];
  for (let i = rowOffsets[row] as number; i < (rowOffsets[row + 1] as number); i++) texts.push(textAt(elements, i));
  return texts;
}

function textAt(column: ScalarColumn, index: number): string {
  if (!('offsets' in column)) return '';
  const [start, end] = [column.offsets[index] as number, column.offsets[index + 1] as number];
  return Buffer.from(column.bytes.buffer, column.bytes.byteOffset + start, end - start).toString('utf8');
}
