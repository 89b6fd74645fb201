import { type GlobPart, parseGlob } from './glob.ts';
import type { TextTest } from './query-plan.ts';

/** Texts of which a text must hold all, or any, to pass a test, cases apart. */
export type RequiredText =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'all' | 'any'; readonly of: readonly RequiredText[] };

const alternativeCountMax = 64;

/** Undefined: nothing is known, or nothing required. */
export function requiredText(test: TextTest): RequiredText | undefined {
  switch (test.kind) {
    case 'glob':
      return ofGlob(parseGlob(test.pattern));
    case 'regex':
      return ofRegex([...test.pattern]);
    case 'fuzzy':
      return ofFuzzy([...test.query], test.distance);
  }
}

/** Any of `distance` + 1 pieces is there unchanged, for an edit changes one of them at most. */
function ofFuzzy(query: readonly string[], distance: number): RequiredText | undefined {
  const pieceCount = distance + 1;
  if (query.length < pieceCount) return undefined;
  const bounds = Array.from({ length: pieceCount + 1 }, (_, i) => Math.round((i * query.length) / pieceCount));
  return anyOf(bounds.slice(1).map((end, i) => textOf(query.slice(bounds[i], end))));
}

function ofGlob(parts: readonly GlobPart[]): RequiredText | undefined {
  return allOf(
    parts.map((part) => {
      if (part.kind === 'text') return textOf([part.text]);
      return part.kind === 'choice' && part.choices.length > 0 ? anyOf(part.choices.map(ofGlob)) : undefined;
    }),
  );
}

/**
 * Of an expression outside of its groups: characters that stand for themselves and are not optional, in runs. Groups, classes and what
 * else is no plain character end a run; what is not known for sure to be read rightly makes nothing required.
 */
function ofRegex(chars: readonly string[]): RequiredText | undefined {
  const alternatives: (RequiredText | undefined)[] = [];
  let runs: (RequiredText | undefined)[] = [];
  let run: string[] = [];
  const endRun = (): void => {
    runs.push(textOf(run));
    run = [];
  };
  const endAlternative = (): void => {
    endRun();
    alternatives.push(allOf(runs));
    runs = [];
  };
  for (let at = 0; at < chars.length; ) {
    const char = chars[at] as string;
    let next = at + 1;
    if (char === '|') endAlternative();
    else if (char === '*' || char === '?' || char === '{') {
      run.pop();
      endRun();
      if (char === '{') next = chars.indexOf('}', at) + 1;
    } else if (char === '(' || char === '[') {
      endRun();
      next = char === '(' ? groupEnd(chars, at) : classEnd(chars, at);
    } else if (char === '\\') {
      const escaped = chars[next++];
      if (escaped === undefined || /[xuUpPk0-9]/.test(escaped)) return undefined;
      if (/[A-Za-z]/.test(escaped)) endRun();
      else run.push(escaped);
    } else if ('+.^$'.includes(char)) endRun();
    else run.push(char);
    if (next <= at) return undefined;
    at = next;
  }
  endAlternative();
  return anyOf(alternatives);
}

/** Behind the group that begins there; 0 where that is not sure. */
function groupEnd(chars: readonly string[], start: number): number {
  let depth = 0;
  for (let at = start; at < chars.length; at++) {
    const char = chars[at];
    if (char === '\\') at++;
    else if (char === '(') depth++;
    else if (char === ')' && --depth === 0) return at + 1;
    else if (char === '[') {
      at = classEnd(chars, at) - 1;
      if (at < 0) return 0;
    }
  }
  return 0;
}

/** Behind the class that begins there; 0 where that is not sure. */
function classEnd(chars: readonly string[], start: number): number {
  let at = start + 1;
  if (chars[at] === '^') at++;
  if (chars[at] === ']') at++;
  for (; at < chars.length; at++) {
    const char = chars[at];
    if (char === '\\') at++;
    else if (char === '[') return 0;
    else if (char === ']') return at + 1;
  }
  return 0;
}

function textOf(chars: readonly string[]): RequiredText | undefined {
  return chars.length === 0 ? undefined : { kind: 'text', text: chars.join('') };
}

function allOf(parts: readonly (RequiredText | undefined)[]): RequiredText | undefined {
  const known = parts.filter((part) => part !== undefined);
  return known.length === 0 ? undefined : { kind: 'all', of: known };
}

/** One of which nothing is known lets everything through. */
function anyOf(parts: readonly (RequiredText | undefined)[]): RequiredText | undefined {
  const known = parts.filter((part) => part !== undefined);
  const isKnown = known.length === parts.length && known.length > 0 && known.length <= alternativeCountMax;
  return isKnown ? { kind: 'any', of: known } : undefined;
}
