import { limits } from '@lagoon/format';
import { clip, wrongValue } from '../json/shape.ts';

/** Names of attributes: 1 to 128 bytes, not `id`, not beginning with `$`. */
export function checkAttributeName(name: string, path: string): void {
  if (name === '') throw wrongValue(path, 'an attribute has an empty name');
  if (name.startsWith('$')) throw wrongValue(path, 'attribute names do not begin with $', { name: clip(name) });
  if (!name.isWellFormed()) throw wrongValue(path, 'the name has half of a surrogate pair');
  // A character has at most three bytes per UTF-16 unit, so most names need no count.
  if (name.length * 3 <= limits.attributeNameBytesMax) return;
  const bytes = Buffer.byteLength(name);
  if (bytes > limits.attributeNameBytesMax) {
    throw wrongValue(path, 'the attribute name is too long', { bytes, bytesMax: limits.attributeNameBytesMax });
  }
}
