import { invalidArgument } from '@lagoon/base';
import { type ByteRange, keyBytesMax, type ListOptions, pageSizeMax } from './object-store.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const notInXml = /[\u0000-\u001f\u007f\ufffe\uffff]/;

/**
 * Refuses what no store takes: the empty key, one above 1,024 UTF-8 bytes, one that is not well-formed Unicode or holds a character
 * that XML, in which S3 talks of keys, cannot carry. Throws `invalid_argument`.
 */
export function checkKey(key: string): void {
  if (key.length === 0) throw invalidArgument('the key is empty');
  if (key.length > keyBytesMax || Buffer.byteLength(key) > keyBytesMax) {
    throw invalidArgument('the key is too long', { key: key.slice(0, 64), bytesMax: keyBytesMax });
  }
  if (!key.isWellFormed()) throw invalidArgument('the key is not well-formed unicode');
  if (notInXml.test(key)) throw invalidArgument('the key holds a control character', { key: JSON.stringify(key) });
}

/** The order of listings: by the bytes of the keys' UTF-8, which for surrogate pairs is not the order of `<`. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? rankOfUnit(x) - rankOfUnit(y) : x - y;
  }
  return a.length - b.length;
}

/** Moves surrogates (code points above U+FFFF) behind the rest of the 16-bit plane, as UTF-8 orders them. */
function rankOfUnit(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** `offset` and `length` in bytes of a range within an object of `objectSize` bytes; throws `invalid_argument`. */
export function resolveRange(
  range: ByteRange | undefined,
  objectSize: number,
): { readonly offset: number; readonly length: number } {
  if (range === undefined) return { offset: 0, length: objectSize };
  checkRange(range);
  if ('suffix' in range) {
    const length = Math.min(range.suffix, objectSize);
    return { offset: objectSize - length, length };
  }
  const offset = Math.min(range.start, objectSize);
  return { offset, length: Math.min(range.end, objectSize) - offset };
}

/** Throws `invalid_argument` unless the range's bounds are whole, not negative and in order. */
export function checkRange(range: ByteRange): void {
  if ('suffix' in range) {
    if (Number.isSafeInteger(range.suffix) && range.suffix >= 0) return;
    throw invalidArgument('the suffix length is not a whole number', { suffix: range.suffix });
  }
  const { start, end } = range;
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end >= start) return;
  throw invalidArgument('the byte range is not valid', { start, end });
}

/** The page size asked for; throws `invalid_argument` outside 1 to 1,000. */
export function pageLimit(options: ListOptions): number {
  const limit = options.limit ?? pageSizeMax;
  if (Number.isInteger(limit) && limit >= 1 && limit <= pageSizeMax) return limit;
  throw invalidArgument('the page size is out of bounds', { limit, limitMax: pageSizeMax });
}
