import { invalidArgument, type LagoonError } from '@lagoon/base';

/**
 * Regular expressions are those of Rust's `regex`; the engine speaks RE2's dialect. Both match in linear time and share most of
 * their syntax; this translates what means something else there, and refuses by name what the engine has not:
 *
 * - `\d \s \w` are Unicode classes; `\u{…}` and `\U…` are code points.
 * - Refused: look-around, back-references, atomic groups, set operations and classes within classes, verbose mode, `(?-u)`.
 * - `\b` and `\B` look at ASCII words only.
 *
 * Gives the expression for the engine and about how many instructions it takes, before anything of that size is made.
 */
export function toEngineRegex(pattern: string, sizeMax: number): string {
  const scan: Scan = { text: pattern, at: 0, out: '' };
  const size = createSizeCount(sizeMax);
  while (scan.at < pattern.length) {
    const char = pattern[scan.at] as string;
    switch (char) {
      case '\\':
        scan.out += translateEscape(scan, false);
        size.atom();
        break;
      case '[':
        translateClass(scan);
        size.atom();
        break;
      case '(':
        translateGroupStart(scan);
        size.open();
        break;
      case ')':
        take(scan, 1);
        size.close();
        break;
      case '{':
        size.repeat(translateRepetition(scan));
        break;
      default:
        take(scan, (pattern.codePointAt(scan.at) as number) > 0xffff ? 2 : 1);
        if (!'*+?|'.includes(char)) size.atom();
    }
  }
  return scan.out;
}

interface Scan {
  readonly text: string;
  at: number;
  out: string;
}

function take(scan: Scan, count: number): void {
  scan.out += scan.text.slice(scan.at, scan.at + count);
  scan.at += count;
}

function refuse(message: string, scan: Scan): LagoonError {
  return invalidArgument(message, { offset: scan.at });
}

/** Adds up instructions: what is repeated counts as often as it may occur. */
function createSizeCount(sizeMax: number) {
  let total = 0;
  let last = 0;
  const outer: number[] = [];
  const add = (count: number): void => {
    total += count;
    if (total > sizeMax) throw invalidArgument('the regular expression is too large', { max: sizeMax });
  };
  return {
    atom: () => {
      last = 1;
      add(1);
    },
    open: () => {
      outer.push(total);
      add(1);
    },
    close: () => {
      last = total - (outer.pop() ?? total);
    },
    repeat: (times: number) => {
      const before = total;
      add(last * Math.max(0, times - 1));
      last += total - before;
    },
  };
}

const space = String.raw`\t-\r\x{85}\p{Z}`;
const notSpace = String.raw`\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}`;
/** Alphabetic, marks, decimal digits, connectors, joiners; ends with a class, so that a hyphen may follow. */
const word = String.raw`\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}\x{200c}\x{200d}\p{M}\p{Nl}\p{Nd}\p{Pc}\p{L}`;

/** The escape at the scan's place, as the engine writes it. */
function translateEscape(scan: Scan, inClass: boolean): string {
  const char = scan.text[scan.at + 1];
  const done = (text: string, length = 2): string => {
    scan.at += length;
    return text;
  };
  switch (char) {
    case undefined:
      throw refuse('the expression ends within an escape', scan);
    case 'd':
      return done(String.raw`\p{Nd}`);
    case 'D':
      return done(String.raw`\P{Nd}`);
    case 's':
      return done(inClass ? space : `[${space}]`);
    case 'S':
      return done(inClass ? notSpace : `[^${space}]`);
    case 'w':
      return done(inClass ? word : `[${word}]`);
    case 'W':
      if (inClass) throw refuse(String.raw`\W within a class is not supported`, scan);
      return done(`[^${word}]`);
    case 'p':
    case 'P':
      return translateProperty(scan);
    case 'x':
    case 'u':
    case 'U':
      return translateCodePoint(scan, char);
    case 'b':
    case 'B':
    case 'A':
    case 'z':
      if (inClass) throw refuse(`\\${char} has no meaning within a class`, scan);
      if (char === 'b' && scan.text[scan.at + 2] === '{') throw refuse(String.raw`\b{…} is not supported`, scan);
      return done(`\\${char}`);
    case 'k':
      throw refuse('back-references are not supported: expressions match in linear time', scan);
  }
  if (/[1-9]/.test(char)) throw refuse('back-references are not supported: expressions match in linear time', scan);
  if (/[aftnrv]/.test(char) || /[!-/:-@[-`{-~ ]/.test(char)) {
    if (char === '<' || char === '>') throw refuse(`\\${char} is not supported`, scan);
    return done(`\\${char}`);
  }
  throw refuse(`unknown escape \\${String.fromCodePoint(scan.text.codePointAt(scan.at + 1) as number)}`, scan);
}

function translateProperty(scan: Scan): string {
  const found = /^\\[pP](?:\{[^{}\\]{1,64}\}|[A-Za-z])/.exec(scan.text.slice(scan.at, scan.at + 80));
  if (found === null) throw refuse('expected the name of a class behind \\p', scan);
  scan.at += found[0].length;
  return found[0];
}

const codePointLengths = { x: 2, u: 4, U: 8 } as const;

function translateCodePoint(scan: Scan, kind: 'x' | 'u' | 'U'): string {
  const rest = scan.text.slice(scan.at + 2, scan.at + 12);
  const length = codePointLengths[kind];
  const digits = /^\{([0-9A-Fa-f]{1,8})\}/.exec(rest)?.[1] ?? rest.slice(0, length);
  const isBraced = rest.startsWith('{');
  const value = Number.parseInt(digits, 16);
  const isHex = /^[0-9A-Fa-f]+$/.test(digits) && (isBraced || digits.length === length);
  if (!isHex || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
    throw refuse(`expected the hexadecimal digits of a code point behind \\${kind}`, scan);
  }
  scan.at += 2 + digits.length + (isBraced ? 2 : 0);
  return `\\x{${value.toString(16)}}`;
}

function translateClass(scan: Scan): void {
  const { text } = scan;
  const start = scan.at;
  take(scan, text[scan.at + 1] === '^' ? 2 : 1);
  if (text[scan.at] === ']') {
    scan.out += String.raw`\]`;
    scan.at++;
  }
  while (text[scan.at] !== ']') {
    const char = text[scan.at];
    if (char === undefined) {
      scan.at = start;
      throw refuse('a class is not closed', scan);
    }
    if (char === '\\') {
      scan.out += translateEscape(scan, true);
      continue;
    }
    const pair = text.slice(scan.at, scan.at + 2);
    if (pair === '&&' || pair === '--' || pair === '~~') {
      throw refuse(`set operations in classes (${pair}) are not supported`, scan);
    }
    if (char === '[') {
      const posix = /^\[:\^?[a-z]{1,10}:\]/.exec(text.slice(scan.at, scan.at + 16));
      if (posix === null) throw refuse('classes within classes are not supported', scan);
      take(scan, posix[0].length);
      continue;
    }
    take(scan, (text.codePointAt(scan.at) as number) > 0xffff ? 2 : 1);
  }
  take(scan, 1);
}

function translateGroupStart(scan: Scan): void {
  const rest = scan.text.slice(scan.at, scan.at + 160);
  const named = /^\(\?P?<[A-Za-z_][A-Za-z0-9_]{0,127}>/.exec(rest);
  if (!rest.startsWith('(?') || named !== null) {
    take(scan, named?.[0].length ?? 1);
    return;
  }
  if (/^\(\?<?[=!]/.test(rest)) {
    throw refuse('look-around is not supported: expressions match in linear time', scan);
  }
  if (rest.startsWith('(?P=')) {
    throw refuse('back-references are not supported: expressions match in linear time', scan);
  }
  if (rest.startsWith('(?>')) throw refuse('atomic groups are not supported', scan);
  const flags = /^\(\?([imsUu]*)(?:-([imsU]+))?([:)])/.exec(rest);
  if (flags === null) throw refuse('unknown group or flag', scan);
  const [all, on = '', off, end] = flags;
  const set = on.replaceAll('u', '') + (off === undefined ? '' : `-${off}`);
  scan.at += all.length;
  if (end === ':') scan.out += `(?${set}:`;
  else scan.out += set === '' ? '(?:' : `(?${set}`;
  if (end === ')') scan.at--; // the parenthesis that closes it is counted as any other
}

/** How often at most; what is unbounded counts as its minimum. */
function translateRepetition(scan: Scan): number {
  const found = /^\{(\d{1,6})(?:(,)(\d{1,6})?)?\}/.exec(scan.text.slice(scan.at, scan.at + 20));
  if (found === null) throw refuse('expected {n}, {n,} or {n,m}; a literal brace is escaped', scan);
  const [all, min, , max] = found;
  take(scan, all.length);
  return Math.max(1, Number(max ?? min));
}
