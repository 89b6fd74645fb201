import { invalidArgument } from '@lagoon/base';
import { limits } from './schema.ts';

/** Throws `invalid_argument` for a name that no attribute may have; `$` is kept for names like `$dist`. */
export function checkAttributeName(name: string): void {
  const size = Buffer.byteLength(name);
  if (size === 0) throw invalidArgument('attribute has an empty name');
  if (size > limits.attributeNameBytesMax) {
    throw invalidArgument('name of an attribute is too long', {
      attribute: name,
      bytes: size,
      max: limits.attributeNameBytesMax,
    });
  }
  if (name === 'id') throw invalidArgument('id is not an attribute');
  if (name.startsWith('$')) throw invalidArgument('name of an attribute starts with $', { attribute: name });
  if (!name.isWellFormed())
    throw invalidArgument('name of an attribute is not well-formed unicode', { attribute: name });
}
