import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { byteStringOf, keyPartOfEntry, pathOfFolder, pathOfKey, textOf } from './fs-paths.ts';

const names = fc.array(fc.constantFrom('a', 'A', '.', '/', '%', 'e', '2', 'obj', '.obj', 'é', '😀', 'x'.repeat(79)), {
  minLength: 1,
  maxLength: 8,
});
const keys = fc.oneof(
  names.map((parts) => parts.join('')),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }),
);

function keyOfPath(path: string): string {
  const parts = path.split('/');
  const last = parts.length - 1;
  return textOf(parts.map((part, i) => keyPartOfEntry(part, i < last) ?? '(foreign)').join(''));
}

describe('paths of keys', () => {
  test('lead back to their keys, so two keys never share a path', () => {
    fc.assert(fc.property(keys, (key) => expect(keyOfPath(pathOfKey(key))).toBe(key)));
  });

  test('are safe on any file system: short components in lower case that are never hidden', () => {
    fc.assert(
      fc.property(keys, (key) => {
        for (const part of pathOfKey(key).split('/')) expect(part).toMatch(/^(?!\.)[a-z0-9\-_.=~@+%]{1,255}$/);
      }),
    );
  });

  test('no folder of a key is the file of another', () => {
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        expect(`${pathOfKey(a)}/`.startsWith(`${pathOfKey(b)}/`)).toBe(a === b);
      }),
    );
  });

  test('lie in the folder of every prefix that ends in a slash', () => {
    fc.assert(
      fc.property(keys, keys, (folder, key) => {
        const path = pathOfFolder(byteStringOf(`${folder}/`));
        expect(pathOfKey(`${folder}/${key}`).startsWith(`${path}/`)).toBe(true);
      }),
    );
  });
});
