import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  bodyKey,
  catalogKey,
  dataKey,
  dirtyKey,
  familyKey,
  floorKey,
  gcStateKey,
  headKey,
  leaseKey,
  logKey,
  operationKey,
  type ParsedKey,
  parseKey,
  pinKey,
} from './keys.ts';
import { escapeName, escapePrefix, unescapeName } from './name-escape.ts';

const names = fc.stringMatching(/^[A-Za-z0-9_.-]{1,128}$/);
const ids = fc.stringMatching(/^[0-9a-z]{1,26}$/);
const generations = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const numbers = fc.integer({ min: 0, max: 999_999_999 });

const parsed: fc.Arbitrary<ParsedKey> = fc.oneof(
  fc.constant({ kind: 'gc-state' as const }),
  fc.record({ kind: fc.constant('catalog' as const), name: names, incarnation: ids }),
  fc.record({ kind: fc.constant('log' as const), name: names, generation: generations }),
  fc.record({ kind: fc.constant('body' as const), name: names, incarnation: ids, job: ids, n: numbers }),
  fc.record({ kind: fc.constant('head' as const), name: names }),
  fc.record({ kind: fc.constant('floor' as const), name: names, generation: generations }),
  fc.record({ kind: fc.constant('pin' as const), name: names, pin: names, random: ids, ok: fc.boolean() }),
  fc.record({ kind: fc.constant('operation' as const), name: names, token: ids }),
  fc.record({ kind: fc.constant('family' as const), family: ids, incarnation: ids }),
  fc.record({
    kind: fc.constant('data' as const),
    family: ids,
    incarnation: ids,
    job: ids,
    n: numbers,
    extension: fc.constantFrom('seg' as const, 'del' as const),
  }),
  fc.record({ kind: fc.constant('dirty' as const), name: names, generation: generations }),
  fc.record({ kind: fc.constant('lease' as const), work: ids, name: names, n: generations }),
);

function format(key: ParsedKey): string {
  switch (key.kind) {
    case 'cluster':
      return 'lagoon.json';
    case 'gc-state':
      return gcStateKey;
    case 'catalog':
      return catalogKey(key.name, key.incarnation);
    case 'log':
      return logKey(key.name, key.generation);
    case 'body':
      return bodyKey(key.name, key.incarnation, key.job, key.n);
    case 'head':
      return headKey(key.name);
    case 'floor':
      return floorKey(key.name, key.generation);
    case 'operation':
      return operationKey(key.name, key.token);
    case 'pin':
      return pinKey(key);
    case 'family':
      return familyKey(key.family, key.incarnation);
    case 'data':
      return dataKey(key);
    case 'dirty':
      return dirtyKey(key.name, key.generation);
    case 'lease':
      return leaseKey(key);
  }
}

describe('keys', () => {
  test('a key parses back to what it was made of, so different values give different keys', () => {
    fc.assert(fc.property(parsed, (key) => expect(parseKey(format(key))).toEqual(key)));
  });

  test('what no function here makes does not parse', () => {
    for (const key of [
      '',
      'ns',
      'ns/A/head',
      'ns/./head',
      'ns/../head',
      'ns/a/log/1',
      'ns/a/head/x',
      'data/a/b/c-01.seg',
    ]) {
      expect(parseKey(key)).toBeUndefined();
    }
    fc.assert(
      fc.property(fc.string(), (text) => {
        const key = parseKey(text);
        return key === undefined || format(key) === text;
      }),
    );
  });

  test('log keys are ordered as generations are', () => {
    fc.assert(
      fc.property(names, generations, generations, (name, a, b) => a < b === logKey(name, a) < logKey(name, b)),
    );
  });
});

describe('escaped names', () => {
  test('are one path component without upper case, never . or .., short enough for file systems', () => {
    fc.assert(
      fc.property(names, (name) => {
        const escaped = escapeName(name);
        expect(escaped).toMatch(/^[a-z0-9_.!-]{1,207}$/);
        expect(escaped.startsWith('.')).toBe(false);
        expect(unescapeName(escaped)).toBe(name);
      }),
    );
    expect(escapeName('A'.repeat(128)).length).toBeLessThan(255);
    expect(unescapeName(escapeName('A'.repeat(128)))).toBe('A'.repeat(128));
  });

  test('of a prefix is a prefix, except for long names', () => {
    fc.assert(
      fc.property(names, fc.nat(128), (name, cut) => {
        const escaped = escapeName(name);
        const prefix = escapePrefix(name.slice(0, cut));
        return escaped.startsWith('!!') || (prefix !== undefined && escaped.startsWith(prefix));
      }),
    );
  });

  test('names outside the dialect are refused', () => {
    for (const name of ['', 'a b', 'a/b', 'ä', 'x'.repeat(129)]) {
      expect(() => escapeName(name)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    }
  });
});
