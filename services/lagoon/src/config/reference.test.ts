import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { renderReference } from './reference.ts';

test('docs/reference/configuration.md is what the table of settings gives today (else: make gen)', () => {
  const path = new URL('../../../../docs/reference/configuration.md', import.meta.url);
  expect(readFileSync(path, 'utf8')).toBe(renderReference());
});
