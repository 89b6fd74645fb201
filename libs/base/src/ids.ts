import type { Random } from './random.ts';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'; // Crockford base 32, lower case: safe in keys and file names

/** A random identifier of 26 base-32 characters (130 bits): incarnations, jobs, commits, writers. */
export function createRandomId(random: Random): string {
  const bytes = random.fill(new Uint8Array(26));
  let id = '';
  for (const byte of bytes) id += alphabet[byte & 31];
  return id;
}
