import { invalidArgument, type LagoonError } from '@lagoon/base';

/**
 * Globs as Rust's `globset` reads them by default, over whole texts: `?` is any character and `*` any number of them, `/` among
 * them; `**` as a whole component is any number of components; `[a-z]`, `[!a-z]`; `{a,b}`, also within each other; a backslash
 * takes the next character as it is.
 */
export type GlobPart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'one' | 'any' | 'leading' | 'trailing' | 'between' }
  | { readonly kind: 'class'; readonly negated: boolean; readonly ranges: readonly (readonly [string, string])[] }
  | { readonly kind: 'choice'; readonly choices: readonly (readonly GlobPart[])[] };

const nestingMax = 16;

/** `invalid_argument` for what is no glob. */
export function parseGlob(pattern: string): readonly GlobPart[] {
  const scan: Scan = { chars: [...pattern], at: 0 };
  const parts = parseParts(scan, 0);
  if (scan.at < scan.chars.length) throw refuse('a } without its {', scan);
  return parts;
}

interface Scan {
  readonly chars: readonly string[];
  at: number;
}

function refuse(message: string, { at }: Scan): LagoonError {
  return invalidArgument(message, { offset: at });
}

/** Up to the end, or within a choice up to its next `,` or `}`. */
function parseParts(scan: Scan, depth: number): GlobPart[] {
  const { chars } = scan;
  const parts: GlobPart[] = [];
  for (let char = chars[scan.at]; char !== undefined; char = chars[scan.at]) {
    if (char === '}' || (char === ',' && depth > 0)) return parts;
    switch (char) {
      case '?':
        scan.at++;
        parts.push({ kind: 'one' });
        break;
      case '*':
        parseStar(scan, parts, depth > 0);
        break;
      case '[':
        parts.push(parseClass(scan));
        break;
      case '{':
        parts.push(parseChoice(scan, depth + 1));
        break;
      default:
        addText(parts, char === '\\' ? escaped(scan) : char);
        scan.at++;
    }
  }
  return parts;
}

function escaped(scan: Scan): string {
  const char = scan.chars[++scan.at];
  if (char === undefined) throw refuse('the glob ends within an escape', scan);
  return char;
}

function addText(parts: GlobPart[], text: string): void {
  const last = parts.at(-1);
  if (last?.kind === 'text') parts[parts.length - 1] = { kind: 'text', text: last.text + text };
  else parts.push({ kind: 'text', text });
}

/** `**` has its own meaning where it is a whole component: at the start, between two slashes, at the end. */
function parseStar(scan: Scan, parts: GlobPart[], inChoice: boolean): void {
  const { chars } = scan;
  const before = chars[scan.at - 1];
  const isDouble = chars[scan.at + 1] === '*';
  const next = chars[scan.at + (isDouble ? 2 : 1)];
  const opens = parts.length === 0 && (before === undefined || inChoice);
  const closes = next === undefined || (inChoice && (next === ',' || next === '}'));
  const last = parts.at(-1);
  if (!isDouble || !(opens || before === '/') || !(closes || next === '/')) {
    scan.at += isDouble ? 2 : 1;
    if (last?.kind !== 'any') parts.push({ kind: 'any' });
    return;
  }
  scan.at += next === '/' ? 3 : 2;
  if (opens) {
    parts.push({ kind: next === '/' ? 'leading' : 'any' });
    return;
  }
  if (last?.kind === 'leading') return;
  parts.pop(); // the slash before is part of what is repeated
  if (last?.kind === 'text' && last.text.length > 1) parts.push({ kind: 'text', text: last.text.slice(0, -1) });
  parts.push({ kind: next === '/' ? 'between' : 'trailing' });
}

function parseClass(scan: Scan): GlobPart {
  const { chars } = scan;
  const start = scan.at++;
  const negated = chars[scan.at] === '!' || chars[scan.at] === '^';
  if (negated) scan.at++;
  const ranges: [string, string][] = [];
  for (let isFirst = true; ; isFirst = false) {
    const from = chars[scan.at];
    if (from === undefined) {
      scan.at = start;
      throw refuse('a class is not closed', scan);
    }
    if (from === ']' && !isFirst) break;
    const to = chars[scan.at + 2];
    const isRange = chars[scan.at + 1] === '-' && to !== undefined && to !== ']';
    if (isRange && (to.codePointAt(0) as number) < (from.codePointAt(0) as number)) {
      throw refuse(`the range ${from}-${to} of a class is upside down`, scan);
    }
    ranges.push([from, isRange ? to : from]);
    scan.at += isRange ? 3 : 1;
  }
  scan.at++;
  return { kind: 'class', negated, ranges };
}

function parseChoice(scan: Scan, depth: number): GlobPart {
  if (depth > nestingMax) throw refuse('choices are nested too deeply', scan);
  const start = scan.at;
  const choices: (readonly GlobPart[])[] = [];
  do {
    scan.at++;
    const parts = parseParts(scan, depth);
    if (parts.length > 0) choices.push(parts);
  } while (scan.chars[scan.at] === ',');
  if (scan.chars[scan.at] !== '}') {
    scan.at = start;
    throw refuse('a { without its }', scan);
  }
  scan.at++;
  return { kind: 'choice', choices };
}

/** The expression, in the engine's dialect, that whole texts match. */
export function globToRegex(parts: readonly GlobPart[], ignoresCase: boolean): string {
  return `(?s${ignoresCase ? 'i' : ''})${parts.map(partToRegex).join('')}`;
}

function partToRegex(part: GlobPart): string {
  switch (part.kind) {
    case 'text':
      return [...part.text].map(literal).join('');
    case 'one':
      return '.';
    case 'any':
      return '.*';
    case 'leading':
      return '(?:/?|.*/)';
    case 'trailing':
      return '/.*';
    case 'between':
      return '(?:/|/.*/)';
    case 'class':
      return `[${part.negated ? '^' : ''}${part.ranges.map(([from, to]) => `${literal(from)}-${literal(to)}`).join('')}]`;
    case 'choice':
      if (part.choices.length === 0) return '';
      return `(?:${part.choices.map((parts) => parts.map(partToRegex).join('')).join('|')})`;
  }
}

function literal(char: string): string {
  return /[A-Za-z0-9]/.test(char) ? char : `\\x{${(char.codePointAt(0) as number).toString(16)}}`;
}
