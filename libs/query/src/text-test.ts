import { invalidArgument, utf8Encode } from '@lagoon/base';
import { queryLimits } from '@lagoon/format';
import { RE2JS, RE2JSException } from 're2js';
import { createFuzzyMatcher } from './fuzzy.ts';
import { type GlobPart, globToRegex, parseGlob } from './glob.ts';
import type { TextTest } from './query-plan.ts';
import { toEngineRegex } from './regex-syntax.ts';

/** Whether the text in bytes[start, end), UTF-8, passes. Takes time linear in the text. */
export interface TextMatcher {
  (bytes: Uint8Array, start: number, end: number): boolean;
  /** Bytes that every text has that passes, not too many to be looked for in a whole column. */
  readonly needle?: Uint8Array;
  /** Reads few bytes of a text in place: remembering its results would cost more. */
  readonly isCheap?: true;
}

/** `invalid_argument` for patterns that do not compile, and at a text that would take too long. */
export function compileTextTest(test: TextTest): TextMatcher {
  switch (test.kind) {
    case 'glob':
      return compileGlob(test.pattern, test.ignoresCase);
    case 'regex': {
      const engine = compileRegex(test.pattern);
      return boundedMatcher(engine, (bytes) => engine.test(bytes));
    }
    case 'fuzzy':
      return createFuzzyMatcher(test.query, test.distance, test.ignoresCase);
  }
}

const needleBytesMax = 64;

function compileGlob(pattern: string, ignoresCase: boolean): TextMatcher {
  const parts = parseGlob(pattern);
  const needle = ignoresCase ? undefined : longestText(parts);
  const simple = ignoresCase ? undefined : compileAffixes(parts);
  if (simple !== undefined) return Object.assign(simple, { isCheap: true as const }, needle && { needle });
  const engine = compileForEngine(globToRegex(parts, ignoresCase), 'glob');
  const matches = boundedMatcher(engine, (bytes) => engine.testExact(bytes));
  return needle === undefined ? matches : Object.assign(matches, { needle });
}

function longestText(parts: readonly GlobPart[]): Uint8Array | undefined {
  const texts = parts.map((part) => utf8Encode(part.kind === 'text' ? part.text : '').subarray(0, needleBytesMax));
  const longest = texts.reduce((a, b) => (b.length > a.length ? b : a), new Uint8Array(0));
  return longest.length === 0 ? undefined : longest;
}

function compileRegex(pattern: string): RE2JS {
  return compileForEngine(toEngineRegex(pattern, queryLimits.regexSizeMax), 'regular expression');
}

function compileForEngine(expression: string, what: string): RE2JS {
  const engine = toEngine(expression, what);
  const size = engine.programSize();
  if (size > queryLimits.regexSizeMax) {
    throw invalidArgument(`the ${what} is too large`, { size, max: queryLimits.regexSizeMax });
  }
  return engine;
}

function toEngine(expression: string, what: string): RE2JS {
  try {
    return RE2JS.compile(expression);
  } catch (error) {
    if (!(error instanceof RE2JSException)) throw error;
    throw invalidArgument(`the ${what} does not compile: ${error.message.replace('error parsing regexp: ', '')}`);
  }
}

/** The engine takes at most one step per byte and instruction. */
function boundedMatcher(engine: RE2JS, matches: (bytes: Uint8Array) => boolean): TextMatcher {
  const bytesMax = queryLimits.regexStepsMax / engine.programSize();
  return (bytes, start, end) => {
    if (end - start > bytesMax) {
      throw invalidArgument('a text is too long for an expression of this size', { bytes: end - start, bytesMax });
    }
    return matches(bytes.subarray(start, end));
  };
}

/** Globs of one text with stars around, or of a beginning and an end: what most are; they read bytes in place. */
function compileAffixes(parts: readonly GlobPart[]): TextMatcher | undefined {
  const texts = parts.map((part) => (part.kind === 'text' ? utf8Encode(part.text) : undefined));
  if (!parts.every(({ kind }) => kind === 'text' || kind === 'any')) return undefined;
  const [first, second, third] = texts;
  switch (parts.map(({ kind }) => (kind === 'any' ? '*' : 't')).join('')) {
    case '':
      return (_bytes, start, end) => start === end;
    case '*':
      return () => true;
    case 't':
      return (bytes, start, end) => end - start === first?.length && hasAt(bytes, start, first);
    case 't*':
      return (bytes, start, end) => first !== undefined && end - start >= first.length && hasAt(bytes, start, first);
    case '*t':
      return (bytes, start, end) =>
        second !== undefined && end - start >= second.length && hasAt(bytes, end - second.length, second);
    case '*t*':
      return second === undefined ? undefined : createFinder(second);
    case 't*t':
      return (bytes, start, end) => {
        if (first === undefined || third === undefined || end - start < first.length + third.length) return false;
        return hasAt(bytes, start, first) && hasAt(bytes, end - third.length, third);
      };
    default:
      return undefined;
  }
}

function hasAt(bytes: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

/** Knuth, Morris, Pratt, "Fast pattern matching in strings" (1977): no byte is read twice, whatever is searched. */
function createFinder(wanted: Uint8Array): TextMatcher {
  const fallback = new Int32Array(wanted.length);
  for (let i = 1, matched = 0; i < wanted.length; i++) {
    while (matched > 0 && wanted[i] !== wanted[matched]) matched = fallback[matched - 1] as number;
    if (wanted[i] === wanted[matched]) matched++;
    fallback[i] = matched;
  }
  return (bytes, start, end) => {
    let matched = 0;
    for (let at = start; at < end; at++) {
      const byte = bytes[at];
      while (matched > 0 && byte !== wanted[matched]) matched = fallback[matched - 1] as number;
      if (byte === wanted[matched]) matched++;
      if (matched === wanted.length) return true;
    }
    return false;
  };
}
