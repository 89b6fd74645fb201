import { utf8Decode, utf8Encode } from '@lagoon/base';

/**
 * Grams of a text: every three neighbouring bytes of its UTF-8 with cases folded, as 24-bit numbers. Cases are folded for indexes
 * and patterns alike, so one index serves patterns that ignore case; it may give more rows than match, never fewer.
 */
export const gramWidth = 3;

/** Calls back with every gram, repeated ones again; a text of fewer than three bytes has none. */
export function forEachGram(bytes: Uint8Array, start: number, end: number, visit: (gram: number) => void): void {
  let isAscii = true;
  for (let i = start; i < end && isAscii; i++) isAscii = (bytes[i] as number) < 0x80;
  if (!isAscii) {
    const folded = utf8Encode(foldCase(utf8Decode(bytes.subarray(start, end))));
    visitGrams(folded, 0, folded.length, (byte) => byte, visit);
    return;
  }
  visitGrams(bytes, start, end, lowerAscii, visit);
}

function visitGrams(
  bytes: Uint8Array,
  start: number,
  end: number,
  fold: (byte: number) => number,
  visit: (gram: number) => void,
): void {
  let gram = 0;
  for (let i = start; i < end; i++) {
    gram = ((gram << 8) | fold(bytes[i] as number)) & 0xffffff;
    if (i >= start + gramWidth - 1) visit(gram);
  }
}

function lowerAscii(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
}

/**
 * Character by character to upper case and back to lower, where that is one character: so whatever differs only by case, such as
 * s, S and ſ, or k, K and the Kelvin sign, becomes one.
 */
function foldCase(text: string): string {
  let folded = '';
  for (const character of text) {
    const upper = single(character.toUpperCase(), character);
    folded += single(upper.toLowerCase(), upper);
  }
  return folded;
}

function single(mapped: string, otherwise: string): string {
  return [...mapped].length === 1 ? mapped : otherwise;
}

/** Big-endian, so that keys are in the order of their numbers. */
export function gramKey(gram: number): Uint8Array {
  return Uint8Array.of(gram >>> 16, (gram >>> 8) & 0xff, gram & 0xff);
}

/** The distinct grams that every text has which holds this one, as keys of an n-gram index. */
export function gramKeysOf(text: string): Uint8Array[] {
  const bytes = utf8Encode(text);
  const grams = new Set<number>();
  forEachGram(bytes, 0, bytes.length, (gram) => void grams.add(gram));
  return Array.from(grams, gramKey);
}
