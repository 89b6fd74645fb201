/**
 * The words of a text: the rules of all `word_v…` tokenizers (README). Two implementations of one definition, for text
 * as a string and for ASCII bytes; a test holds them equal.
 */

/** Scripts that are written without spaces: every letter is a word of its own. */
const unspaced = String.raw`[[\p{Script=Han}\p{Script=Hiragana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]&&\p{L}]`;
const inner = String.raw`[[\p{L}\p{N}\p{M}_]--${unspaced}]`;
const first = String.raw`_*[[\p{L}\p{N}]--${unspaced}]`;
const betweenLetters = String.raw`(?<=\p{L}\p{M}*)['’.·](?=\p{L})`;
const betweenDigits = String.raw`(?<=\p{Nd})['’.,](?=\p{Nd})`;
const words = new RegExp(
  String.raw`${unspaced}\p{M}*|${first}${inner}*(?:(?:${betweenLetters}|${betweenDigits})${inner}+)*`,
  'gv',
);

/** The words of the text in order, as they stand there. */
export function wordsOf(text: string): readonly string[] {
  return text.match(words) ?? [];
}

/** The same with where each begins. */
export function* wordPlaces(text: string): Generator<{ readonly word: string; readonly start: number }> {
  for (const match of text.matchAll(words)) yield { word: match[0], start: match.index };
}

const letter = 1;
const digit = 2;
const underscore = 4;
const letterJoiner = 8;
const digitJoiner = 16;
const wordByte = letter | digit | underscore;

const byteClasses = classifyBytes();

function classifyBytes(): Uint8Array {
  const classes = new Uint8Array(256);
  for (let byte = 0; byte < 128; byte++) {
    const text = String.fromCharCode(byte);
    if (/[A-Za-z]/.test(text)) classes[byte] = letter;
    if (/[0-9]/.test(text)) classes[byte] = digit;
  }
  classes[0x5f] = underscore;
  classes[0x27] = letterJoiner | digitJoiner; // '
  classes[0x2e] = letterJoiner | digitJoiner; // .
  classes[0x2c] = digitJoiner; // ,
  return classes;
}

export function isAscii(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if ((bytes[i] as number) >= 0x80) return false;
  return true;
}

/** Where the next word of ASCII text at or after `from` starts; `end` when there is none. */
export function nextWordStart(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const kind = byteClasses[bytes[at] as number] as number;
    if ((kind & (letter | digit)) !== 0) return at;
    if (kind !== underscore) continue;
    // underscores belong to a word only where a letter or digit follows them
    let next = at + 1;
    while (next < end && byteClasses[bytes[next] as number] === underscore) next++;
    if (next < end && ((byteClasses[bytes[next] as number] as number) & (letter | digit)) !== 0) return at;
    at = next - 1;
  }
  return end;
}

/** Where the word of ASCII text that starts at `start` ends. */
export function wordEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start + 1;
  let previous = byteClasses[bytes[start] as number] as number;
  while (at < end) {
    const kind = byteClasses[bytes[at] as number] as number;
    if ((kind & wordByte) === 0) {
      const next = at + 1 < end ? (byteClasses[bytes[at + 1] as number] as number) : 0;
      const joins =
        ((kind & letterJoiner) !== 0 && previous === letter && next === letter) ||
        ((kind & digitJoiner) !== 0 && previous === digit && next === digit);
      if (!joins) return at;
    }
    previous = kind;
    at++;
  }
  return at;
}
