import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { send } from '../support/http.ts';
import { printingLogs } from '../support/printing-logs.ts';
import { type ProcessTarget, startOnDirectory } from '../support/process-target.ts';

/** Filters that mean nothing: each is refused by the place in it, what was expected and what was found, in queries and in writes. */
const writePath = '/v2/namespaces/bad-filters';
let target: ProcessTarget;

beforeAll(async () => {
  target = await startOnDirectory();
  const body = {
    upsert_rows: [{ id: 1, vector: [1, 2], n: 7, s: 'x', tags: ['a'], sizes: [1], title: 'a fox', plain: 'p' }],
    schema: {
      s: { type: 'string', filterable: true, glob: true, regex: true, fuzzy: true },
      plain: 'string',
      title: { type: 'string', full_text_search: true },
      u: 'uint',
      at: 'datetime',
      uid: 'uuid',
      ok: 'bool',
      f: 'float',
      raw: 'bytes',
    },
    distance_metric: 'cosine_distance',
  };
  expect(await send(target.url, 'POST', writePath, { body })).toMatchObject({ status: 200 });
});

afterAll(async () => {
  await target?.close();
});

const fuzzy = (step: unknown, more = {}) => ['s', 'Fuzzy', 'x', { max_edit_distance: [step], ...more }];
const nested = (depth: number, filter: unknown): unknown => (depth === 0 ? filter : ['Not', nested(depth - 1, filter)]);
const many = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);

const shape: readonly (readonly [string, unknown, number, RegExp])[] = [
  ['a filter that is an object', { n: 1 }, 422, /filters: expected a filter \(an array\), found an object/],
  ['a filter that is a text', 'n = 1', 422, /filters: expected a filter \(an array\), found a string/],
  ['an empty array', [], 400, /filters: expected \[attribute, operator, value\]/],
  ['one part', ['n'], 400, /filters: expected \[attribute, operator, value\]/],
  ['two parts', ['n', 'Eq'], 400, /filters: a filter of two parts begins with And, Or or Not/],
  ['five parts', ['n', 'Eq', 1, 2, 3], 400, /filters: expected \[attribute, operator, value\]/],
  ['an attribute that is a number', [1, 'Eq', 1], 422, /filters\[0\]: expected the name of an attribute, found an int/],
  ['an operator that is a number', ['n', 1, 1], 422, /filters\[1\]: expected an operator, found an integer/],
  ['an operator in lower case', ['n', 'eq', 1], 400, /filters\[1\]: unknown operator.*found=eq/],
  ['an operator that every object has', ['n', 'constructor', 1], 400, /filters\[1\]: unknown operator/],
  ['parameters that the operator has not', ['n', 'Eq', 1, {}], 400, /filters\[3\]: this operator takes no parameters/],
  ['parameters of a glob', ['s', 'Glob', 'x', {}], 400, /filters\[3\]: this operator takes no parameters/],
  ['And of no array', ['And', ['n', 'Eq', 1]], 422, /filters\[1\]\[0\]: expected a filter/],
  ['Or of an object', ['Or', {}], 422, /filters\[1\]: expected an array of filters, found an object/],
  ['Not of a list', ['Not', [['n', 'Eq', 1]]], 400, /filters\[1\]: expected \[attribute, operator, value\]/],
  [
    'a path deep within',
    [
      'And',
      [
        ['n', 'Eq', 1],
        ['Not', ['n', 'In', 1]],
      ],
    ],
    422,
    /filters\[1\]\[1\]\[1\]\[2\]: expected an array/,
  ],
  ['a value that is an object', ['n', 'Eq', {}], 422, /filters\[2\]: expected a scalar or an array, found an object/],
  [
    'a reference in a query',
    ['n', 'Eq', { $ref_new: 'n' }],
    400,
    /filters\[2\]: \$ref_new has a meaning in conditions/,
  ],
  ['In of one value', ['n', 'In', 1], 422, /filters\[2\]: expected an array of values, found an integer/],
  ['ContainsAny of one value', ['tags', 'ContainsAny', 'a'], 422, /filters\[2\]: expected an array of values/],
  ['an array within an array', ['tags', 'Eq', [['a']]], 400, /filters\[2\]\[0\]: expected a scalar, found an array/],
  ['half of a surrogate pair', ['s', 'Eq', '\ud800'], 400, /filters\[2\]: the string has half of a surrogate pair/],
  ['a glob that is a number', ['s', 'Glob', 1], 422, /filters\[2\]: expected a pattern \(a string\), found an integer/],
  ['a regex that is null', ['s', 'Regex', null], 422, /filters\[2\]: expected a pattern/],
  ['a regex that is a list', ['s', 'Regex', ['x']], 422, /filters\[2\]: expected a pattern/],
  [
    'tokens that are a number',
    ['title', 'ContainsAllTokens', 1],
    422,
    /filters\[2\]: expected a text or an array of tokens/,
  ],
  ['a token that is a number', ['title', 'ContainsAnyToken', ['a', 1]], 422, /filters\[2\]\[1\]: expected a token/],
  ['token parameters as a list', ['title', 'ContainsAnyToken', 'a', []], 422, /filters\[3\]: expected an object/],
  [
    'a misspelt token parameter',
    ['title', 'ContainsAnyToken', 'a', { prefix: true }],
    422,
    /filters\[3\]\.prefix: unknown/,
  ],
  [
    'last_as_prefix as a text',
    ['title', 'ContainsAllTokens', 'a', { last_as_prefix: 'yes' }],
    422,
    /last_as_prefix: expected a bool/,
  ],
  ['Fuzzy without parameters', ['s', 'Fuzzy', 'x'], 422, /filters\[3\]: expected an object, found nothing/],
  ['Fuzzy without distances', ['s', 'Fuzzy', 'x', {}], 422, /filters\[3\]\.max_edit_distance: expected an array/],
  ['Fuzzy of no steps', ['s', 'Fuzzy', 'x', { max_edit_distance: [] }], 400, /expected 1 to 16 steps/],
  [
    'Fuzzy of 17 steps',
    ['s', 'Fuzzy', 'x', { max_edit_distance: many(17, {}) }],
    400,
    /expected 1 to 16 steps.*found=17/,
  ],
  ['a step that is a number', fuzzy(2), 422, /max_edit_distance\[0\]: expected an object/],
  ['a step without chars', fuzzy({ distance: 1 }), 422, /\[0\]\.min_query_chars: expected an integer, found nothing/],
  [
    'a step of half a character',
    fuzzy({ distance: 1, min_query_chars: 6.5 }),
    422,
    /min_query_chars: expected an integer/,
  ],
  ['a step of three edits', fuzzy({ distance: 3, min_query_chars: 12 }), 400, /\[0\]\.distance: must be from 0 to 2/],
  ['a step of fewer than no edits', fuzzy({ distance: -1, min_query_chars: 12 }), 400, /distance: must be from 0 to 2/],
  [
    'too few characters for two edits',
    fuzzy({ distance: 2, min_query_chars: 8 }),
    400,
    /min_query_chars: must be from 9/,
  ],
  ['a misspelt step', fuzzy({ distance: 1, min_query_chars: 6, chars: 1 }), 422, /\[0\]\.chars: unknown field/],
  [
    'case_sensitive as a number',
    fuzzy({ distance: 0, min_query_chars: 3 }, { case_sensitive: 1 }),
    422,
    /case_sensitive: expected a bool/,
  ],
  [
    'a misspelt fuzzy parameter',
    fuzzy({ distance: 0, min_query_chars: 3 }, { case: true }),
    422,
    /\.case: unknown field/,
  ],
];

const meaning: readonly (readonly [string, unknown, RegExp])[] = [
  [
    'an unknown attribute',
    ['And', [['nothing', 'Eq', 1]]],
    /filters\[1\]\[0\]\[0\]: unknown attribute.*attribute=nothing/,
  ],
  [
    'a text for an int',
    ['n', 'Gt', 'seven'],
    /filters\[2\].*attribute=n, operator=Gt, attributeType=int, valueType=string/,
  ],
  ['a float for an int', ['n', 'Eq', 1.5], /attributeType=int, valueType=float/],
  ['a text among ints', ['n', 'In', [1, 'x']], /operator=In, attributeType=int, valueType=string/],
  ['a number for a text', ['s', 'Eq', 1], /attribute=s, operator=Eq, attributeType=string, valueType=int/],
  ['null as a bound', ['n', 'Lt', null], /operator=Lt, attributeType=int, valueType=null/],
  ['less than nothing for a uint', ['u', 'Eq', -1], /attributeType=uint, valueType=int/],
  ['no datetime', ['at', 'Gt', 'yesterday'], /attribute=at, operator=Gt, attributeType=datetime, valueType=string/],
  ['no uuid', ['uid', 'Eq', 'x'], /attributeType=uuid, valueType=string/],
  ['a text for a bool', ['ok', 'Eq', 'true'], /attributeType=bool, valueType=string/],
  ['a bool for a float', ['f', 'Lte', true], /attributeType=float, valueType=bool/],
  ['no base64', ['raw', 'Eq', '#'], /attributeType=bytes, valueType=string/],
  ['an array for a scalar', ['n', 'Eq', [1]], /attributeType=int, valueType=\[\]int/],
  ['a scalar for an array', ['tags', 'Eq', 'a'], /attributeType=\[\]string, valueType=string/],
  ['Lt of an array', ['sizes', 'Lt', 1], /operator=Lt, attributeType=\[\]int/],
  ['AnyLt of a scalar', ['n', 'AnyLt', 1], /operator=AnyLt, attributeType=int/],
  ['AnyGte of a text', ['sizes', 'AnyGte', 'x'], /operator=AnyGte, attributeType=\[\]int, valueType=string/],
  ['Contains of a scalar', ['n', 'Contains', 1], /operator=Contains, attributeType=int/],
  ['Contains of null', ['tags', 'Contains', null], /operator=Contains, attributeType=\[\]string, valueType=null/],
  [
    'NotContains of a number',
    ['tags', 'NotContains', 1],
    /operator=NotContains, attributeType=\[\]string, valueType=int/,
  ],
  ['ContainsAny of a wrong value', ['sizes', 'ContainsAny', [1, 'x']], /operator=ContainsAny, attributeType=\[\]int/],
  ['NotContainsAny of a scalar', ['s', 'NotContainsAny', ['x']], /operator=NotContainsAny, attributeType=string/],
  ['a text for an id', ['id', 'Eq', 'x'], /attribute=id, operator=Eq, attributeType=uint, valueType=string/],
  ['Contains of an id', ['id', 'Contains', 1], /attribute=id, operator=Contains, attributeType=uint/],
  ['Glob of an id that is a number', ['id', 'Glob', '1*'], /attribute=id, operator=Glob, attributeType=uint/],
  ['a vector', ['vector', 'Eq', [1, 2]], /attribute=vector, operator=Eq, attributeType=\[2\]f32/],
  [
    'Glob of an int',
    ['n', 'Glob', '1'],
    /filters: the operator needs an attribute of strings.*operator=Glob, attributeType=int/,
  ],
  ['Regex without the setting', ['plain', 'Regex', 'x'], /filters: the operator needs regex in the attribute's schema/],
  [
    'Fuzzy without the setting',
    ['plain', 'Fuzzy', 'abcdef', { max_edit_distance: [{ distance: 0, min_query_chars: 3 }] }],
    /needs fuzzy in/,
  ],
  ['Glob of what is only searched', ['title', 'Glob', 'a*'], /needs glob or filterable/],
  ['Eq of what is only searched', ['title', 'Eq', 'a'], /filters: attribute is not filterable \(attribute=title\)/],
  [
    'tokens without full text',
    ['s', 'ContainsAllTokens', 'x'],
    /filters: attribute has no full_text_search.*attribute=s, operator=ContainsAllTokens/,
  ],
  ['tokens of an id', ['id', 'ContainsAnyToken', 'x'], /attribute has no full_text_search/],
  ['a glob that is open', ['Not', ['s', 'Glob', 'a[b']], /filters\[1\]\[2\]: a class is not closed.*offset=1/],
  ['a glob with an open choice', ['s', 'IGlob', '{a,b'], /filters\[2\]: a \{ without its \}/],
  [
    'a regex with look-around',
    ['Or', [['s', 'Regex', 'a(?=b)']]],
    /filters\[1\]\[0\]\[2\]: look-around is not supported.*offset=1/,
  ],
  [
    'a regex with a back-reference',
    ['s', 'Regex', '(a)\\1'],
    /filters\[2\]: back-references are not supported.*offset=3/,
  ],
  ['a regex that is open', ['s', 'Regex', '(a'], /filters\[2\]: the regular expression does not compile/],
];

const bounds: readonly (readonly [string, unknown, RegExp])[] = [
  ['64 levels and one more', nested(64, ['n', 'Eq', 1]), /nested too deeply/],
  ['10,001 conditions', ['Or', many(10_001, ['n', 'Eq', 1])], /too many parts/],
  ['10,001 values', ['n', 'In', many(10_001, 1)], /filters\[2\]: too many values/],
  [
    '100,001 values together',
    ['Or', many(11, ['n', 'In', many(10_000, 1)])],
    /filters\[1\]\[10\]\[2\]: the filter has too many values/,
  ],
  ['65 patterns', ['Or', many(65, ['s', 'Glob', 'a'])], /filters\[1\]\[64\]: the filter has too many patterns/],
  ['a pattern above 4 KiB', ['s', 'Glob', 'é'.repeat(2_049)], /filters\[2\]: the text is too long.*bytes=4098/],
  ['a large regex', ['s', 'Regex', '((a{99}){99}){99}'], /filters\[2\]: the regular expression is too large/],
  ['a regex repeated too often', ['s', 'Regex', 'a{1001}'], /filters\[2\]: the regular expression/],
  [
    'a fuzzy query of 257 characters',
    ['s', 'Fuzzy', 'a'.repeat(257), { max_edit_distance: [{ distance: 0, min_query_chars: 3 }] }],
    /filters\[2\]: the text is too long.*chars=257/,
  ],
  ['1,025 tokens', ['title', 'ContainsAnyToken', many(1_025, 'a')], /filters\[2\]: too many tokens/],
  ['a text of 1,025 terms', ['title', 'ContainsAllTokens', 'a '.repeat(1_025)], /too many terms/],
  [
    '16 KiB of tokens and more',
    ['title', 'ContainsAllTokens', 'a'.repeat(16_385)],
    /filters\[2\]: the text is too long/,
  ],
  ['an integer beyond 64 bits', ['n', 'Eq', 2 ** 70], /filters\[2\]/],
];

async function expectRefused(path: string, body: unknown, status: number, message: RegExp): Promise<void> {
  await printingLogs(
    () => target,
    async () => {
      const answer = await send(target.url, 'POST', path, { body });
      expect(answer.json).toMatchObject({ status: 'error', error: expect.stringMatching(message) });
      expect(answer.status).toBe(status);
    },
  );
}

const all: readonly (readonly [string, unknown, number, RegExp])[] = [
  ...shape,
  ...[...meaning, ...bounds].map(([title, filter, message]) => [title, filter, 400, message] as const),
];

describe('a filter that means nothing is refused', () => {
  test.each(all)('query: %s', async (_title, filters, status, message) => {
    await expectRefused(`${writePath}/query`, { rank_by: ['id', 'asc'], filters }, status, message);
  });

  /** The same in the places of a write; a condition may hold references, and knows the schema of the write. */
  const inWrites = all.filter(([title]) => title !== 'a reference in a query');
  test.each(inWrites)('conditions and writes by filter: %s', async (_title, filter, status, message) => {
    const at = (field: string) => new RegExp(message.source.replace(/^filters/, field.replace('.', '\\.')));
    await expectRefused(
      writePath,
      { patch_rows: [{ id: 1, n: 8 }], patch_condition: filter },
      status,
      at('patch_condition'),
    );
    await expectRefused(writePath, { delete_by_filter: filter }, status, at('delete_by_filter'));
    const patch = { filters: filter, patch: { n: 8 } };
    await expectRefused(writePath, { patch_by_filter: patch }, status, at('patch_by_filter.filters'));
  });

  test('nothing of it was applied', async () => {
    const body = { rank_by: ['id', 'asc'], include_attributes: ['n'] };
    const answer = await send(target.url, 'POST', `${writePath}/query`, { body });
    expect(answer.json).toMatchObject({ rows: [{ id: 1, n: 7 }], manifest_generation: 1 });
  });
});
