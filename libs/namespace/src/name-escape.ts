import { corrupt, invalidArgument } from '@lagoon/base';

/**
 * Namespace names inside keys. A name becomes exactly one path component that is safe on file systems which fold case:
 *
 * - an upper case letter is `!` and the letter in lower case; a `.` at the start is `!0`; everything else is itself;
 * - a name whose escaped form would be longer than 200 bytes (file systems stop at 255) is `!!` and its bytes in base 32.
 *
 * Except for the long form, the escaped prefix of a name is a prefix of the escaped name, so listing by prefix works.
 */
const namePattern = /^[A-Za-z0-9_.-]{1,128}$/;
const plainPattern = /^(?:[a-z0-9_.-]|![a-z0])+$/;
const longPattern = /^!![0-9a-v]+$/;

export const escapedBytesMax = 200;
export const longNamePrefix = '!!';

/** Throws `invalid_argument` for what is no namespace name of the dialect. */
export function checkNamespaceName(name: string): void {
  if (!namePattern.test(name)) {
    throw invalidArgument('a namespace name has 1 to 128 characters of A-Z a-z 0-9 - _ .', {
      name: name.slice(0, 200),
    });
  }
}

export function escapeName(name: string): string {
  checkNamespaceName(name);
  const plain = escapePlain(name);
  return plain.length <= escapedBytesMax ? plain : longNamePrefix + toBase32(name);
}

/** The escaped form of a prefix of short names; undefined where only long names can have it. */
export function escapePrefix(prefix: string): string | undefined {
  if (prefix === '') return '';
  checkNamespaceName(prefix);
  const plain = escapePlain(prefix);
  return plain.length <= escapedBytesMax ? plain : undefined;
}

/** Inverse of `escapeName`; throws `corrupt` for what it cannot have made. */
export function unescapeName(escaped: string): string {
  const name = longPattern.test(escaped) ? fromBase32(escaped.slice(longNamePrefix.length)) : unescapePlain(escaped);
  if (name === undefined || !namePattern.test(name) || escapeName(name) !== escaped) {
    throw corrupt('not a namespace name in a key', { escaped: escaped.slice(0, 300) });
  }
  return name;
}

function escapePlain(name: string): string {
  const escaped = name.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
  return escaped.startsWith('.') ? `!0${escaped.slice(1)}` : escaped;
}

function unescapePlain(escaped: string): string | undefined {
  if (!plainPattern.test(escaped)) return undefined;
  return escaped.replace(/!([a-z0])/g, (_, letter: string) => (letter === '0' ? '.' : letter.toUpperCase()));
}

function toBase32(name: string): string {
  let bits = '';
  for (const character of name) bits += character.charCodeAt(0).toString(2).padStart(8, '0');
  bits = bits.padEnd(Math.ceil(bits.length / 5) * 5, '0');
  return (bits.match(/.{5}/g) ?? []).map((five) => Number.parseInt(five, 2).toString(32)).join('');
}

function fromBase32(text: string): string {
  const bits = [...text].map((digit) => Number.parseInt(digit, 32).toString(2).padStart(5, '0')).join('');
  return (bits.match(/.{8}/g) ?? []).map((eight) => String.fromCharCode(Number.parseInt(eight, 2))).join('');
}
