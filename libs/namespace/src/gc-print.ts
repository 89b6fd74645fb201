import { crc32, utf8Encode } from '@lagoon/base';
import type { ListedObject } from '@lagoon/object-store';
import { parseKey } from './keys.ts';

/**
 * Fingerprint of the keys below one name, or of one family, in the order in which they are listed: equal ones mean that nothing was made or
 * removed. The hint is overwritten at will, so its time counts too: one that a late writer put back is another one. Foreign keys do not count.
 */
export function addToPrint(print: number, { key, lastModifiedMs }: ListedObject): number {
  const kind = parseKey(key)?.kind;
  if (kind === undefined) return print;
  return crc32(utf8Encode(kind === 'head' ? `${key} ${lastModifiedMs}` : key), print);
}

export function printOf(...listings: readonly (readonly ListedObject[])[]): number {
  return listings.flat().reduce(addToPrint, 0);
}
