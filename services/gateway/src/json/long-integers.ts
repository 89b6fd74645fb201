/**
 * Integers that `JSON.parse` would round. In a text without `\u` escapes they are quoted behind a marker that the text does
 * not hold, parsed as strings and made bigints in place: many times faster than a reviver, which is called for every number.
 */
export function parseLongIntegers(text: string): unknown {
  // With an escape a string of the text could spell the marker without holding it.
  if (text.includes('\\u')) return JSON.parse(text, revive);
  let marker = 'L';
  while (text.includes(`"${marker}`)) marker += 'L';
  try {
    return unmark(JSON.parse(markLongIntegers(text, marker)), marker);
  } catch {
    return JSON.parse(text, revive); // throws again, with the position in the text that was sent
  }
}

const integerPattern = /^-?\d+$/;

function revive(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && integerPattern.test(source) ? BigInt(source) : value;
}

export const digitRunMin = 16; // 2^53 has 16 digits

function markLongIntegers(text: string, marker: string): string {
  const pieces: string[] = [];
  let copiedEnd = 0;
  let position = 0;
  while (position < text.length) {
    const quote = text.indexOf('"', position);
    const end = quote < 0 ? text.length : quote;
    // A run of 16 digits covers one of any 16 consecutive positions.
    for (let probe = position + digitRunMin - 1; probe < end; probe += digitRunMin) {
      if (!isDigitCode(text.charCodeAt(probe))) continue;
      const token = tokenAround(text, probe);
      if (isLongInteger(text, token)) {
        pieces.push(text.slice(copiedEnd, token.start), `"${marker}`, text.slice(token.start, token.end), '"');
        copiedEnd = token.end;
      }
      if (token.end > probe) probe = token.end - 1;
    }
    position = quote < 0 ? text.length : stringEnd(text, quote);
  }
  pieces.push(text.slice(copiedEnd));
  return pieces.join('');
}

interface Token {
  readonly start: number;
  readonly end: number;
}

/** The whole number around a digit: digits, signs, point and exponent. */
function tokenAround(text: string, position: number): Token {
  let start = position;
  while (start > 0 && isNumberCode(text.charCodeAt(start - 1))) start--;
  let end = position + 1;
  while (end < text.length && isNumberCode(text.charCodeAt(end))) end++;
  return { start, end };
}

const longIntegerPattern = /^-?[1-9]\d{15,}$/;

/** Not as the key of an object either: that is no json, and must stay none. */
function isLongInteger(text: string, token: Token): boolean {
  if (!longIntegerPattern.test(text.slice(token.start, token.end))) return false;
  let next = token.end;
  while (isSpaceCode(text.charCodeAt(next))) next++;
  return text[next] !== ':';
}

function stringEnd(text: string, quote: number): number {
  let close = text.indexOf('"', quote + 1);
  while (close >= 0 && isEscaped(text, close)) close = text.indexOf('"', close + 1);
  return close < 0 ? text.length : close + 1;
}

function isEscaped(text: string, position: number): boolean {
  let backslashes = 0;
  while (text.charCodeAt(position - 1 - backslashes) === 0x5c) backslashes++;
  return backslashes % 2 === 1;
}

function isDigitCode(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isNumberCode(code: number): boolean {
  return isDigitCode(code) || code === 0x2b || code === 0x2d || code === 0x2e || code === 0x45 || code === 0x65;
}

function isSpaceCode(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

/** Replaces marked strings by bigints, in place; by hand and not recursive, because texts nest as deeply as they like. */
function unmark(root: unknown, marker: string): unknown {
  const convert = (value: unknown): unknown => {
    if (typeof value === 'string') return value.startsWith(marker) ? toInteger(value.slice(marker.length)) : value;
    if (typeof value === 'object' && value !== null) open.push(value);
    return value;
  };
  const open: object[] = [];
  const converted = convert(root);
  for (let container = open.pop(); container !== undefined; container = open.pop()) {
    if (Array.isArray(container)) unmarkArray(container, convert);
    else unmarkObject(container as Record<string, unknown>, convert);
  }
  return converted;
}

function unmarkArray(array: unknown[], convert: (value: unknown) => unknown): void {
  for (let index = 0; index < array.length; index++) {
    const value = array[index];
    if (typeof value !== 'number') array[index] = convert(value);
  }
}

function unmarkObject(object: Record<string, unknown>, convert: (value: unknown) => unknown): void {
  for (const name of Object.keys(object)) {
    const value = object[name];
    const converted = convert(value);
    // Assigning `__proto__` would change the prototype; the parser made it a property of its own.
    if (converted !== value)
      Object.defineProperty(object, name, { value: converted, enumerable: true, writable: true, configurable: true });
  }
}

function toInteger(digits: string): number | bigint {
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number : BigInt(digits);
}
