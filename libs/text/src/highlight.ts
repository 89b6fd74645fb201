import type { Analyzer } from './analyzer.ts';
import { wordPlaces } from './words.ts';

export const fragmentUnits = ['sentence', 'paragraph', 'word', 'none'] as const;
export type FragmentUnit = (typeof fragmentUnits)[number];

/** What counts as a match: these terms, and terms that begin so. */
export interface HighlightTerms {
  readonly terms: ReadonlySet<string>;
  readonly prefixes: readonly string[];
}

/** [start, end) in UTF-16 code units. */
export type TextRange = readonly [start: number, end: number];

export interface Fragment {
  readonly range: TextRange;
  /** The words in it that match, in their order; one at least. */
  readonly matches: readonly TextRange[];
}

/** Of a text; what is behind is not looked at. */
export const highlightLengthMax = 1 << 20;

interface Match {
  readonly range: TextRange;
  readonly term: string;
}

/**
 * The fragments of a text that hold matching words, best first: those with more different terms, then with more matches, then
 * those that come earlier.
 */
export function findFragments(
  text: string,
  analyzer: Analyzer,
  wanted: HighlightTerms,
  unit: FragmentUnit,
  countMax: number,
): Fragment[] {
  const searched = text.slice(0, highlightLengthMax);
  const matches = findMatches(searched, analyzer, wanted);
  if (matches.length === 0) return [];
  const ranges = unit === 'word' ? matches.map(({ range }) => range) : cut(searched, unit);
  let next = 0; // both lists ascend
  const scored = ranges.flatMap((range) => {
    while (next < matches.length && (matches[next] as Match).range[0] < range[0]) next++;
    const first = next;
    while (next < matches.length && (matches[next] as Match).range[1] <= range[1]) next++;
    const inside = matches.slice(first, next);
    return inside.length === 0 ? [] : [{ range, inside, termCount: new Set(inside.map(({ term }) => term)).size }];
  });
  scored.sort((a, b) => b.termCount - a.termCount || b.inside.length - a.inside.length || a.range[0] - b.range[0]);
  return scored.slice(0, countMax).map(({ range, inside }) => ({ range, matches: inside.map((match) => match.range) }));
}

function findMatches(text: string, analyzer: Analyzer, { terms, prefixes }: HighlightTerms): Match[] {
  const places = analyzer.preTokenized ? [{ word: text, start: 0 }] : wordPlaces(text);
  const matches: Match[] = [];
  for (const { word, start } of places) {
    const term = analyzer.termOf(word);
    if (term === undefined || !(terms.has(term) || prefixes.some((prefix) => term.startsWith(prefix)))) continue;
    matches.push({ range: [start, start + word.length], term });
  }
  return matches;
}

function cut(text: string, unit: 'sentence' | 'paragraph' | 'none'): TextRange[] {
  if (unit === 'none') return [[0, text.length]];
  if (unit === 'paragraph') return trimmed(text, paragraphStarts(text));
  const sentences = new Intl.Segmenter('en', { granularity: 'sentence' }).segment(text);
  return trimmed(
    text,
    Array.from(sentences, ({ index }) => index),
  );
}

function paragraphStarts(text: string): number[] {
  return [0, ...Array.from(text.matchAll(/\n[^\S\n]*\n\s*/g), (gap) => gap.index + gap[0].length)];
}

/** From each start to the next one, without the white space at both ends; empty ones left out. */
function trimmed(text: string, starts: readonly number[]): TextRange[] {
  return starts.flatMap((start, i): TextRange[] => {
    const part = text.slice(start, starts[i + 1] ?? text.length);
    const from = start + (part.length - part.trimStart().length);
    const to = start + part.trimEnd().length;
    return from < to ? [[from, to]] : [];
  });
}

export const offsetUnits = ['utf-8', 'utf-16', 'codepoints'] as const;
export type OffsetUnit = (typeof offsetUnits)[number];

/** Places in a text, given in UTF-16 code units, in another unit. */
export function createOffsetConverter(text: string, unit: OffsetUnit): (offset: number) => number {
  if (unit === 'utf-16') return (offset) => offset;
  const sizeOf = unit === 'utf-8' ? Buffer.byteLength : countCodePoints;
  let [at, size] = [0, 0];
  return (offset) => {
    // places come about in order: what lies between two is measured once
    if (offset < at) [at, size] = [0, 0];
    size += sizeOf(text.slice(at, offset));
    at = offset;
    return size;
  };
}

function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
