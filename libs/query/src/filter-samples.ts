import type { AttributeValue, DocumentId, IdKind } from '@lagoon/format';
import fc from 'fast-check';
import type { Filter } from './filter.ts';

/** Random filters on array elements, texts and terms, for tests that compare with brute force (`oracle.ts`). */
export interface FilterSamples {
  readonly idKind: IdKind;
  readonly ids: readonly DocumentId[];
  /** Array attributes with the values that their elements have. */
  readonly elements: Readonly<Record<string, readonly AttributeValue[]>>;
  /** Attributes with glob, regex and fuzzy; and those with full-text search, with the words that their texts are made of. */
  readonly patterned: readonly string[];
  readonly searched: readonly string[];
  readonly words: readonly string[];
}

export function sampleFilters(samples: FilterSamples): fc.Arbitrary<Filter> {
  return fc.oneof(elementFilter(samples), patternFilter(samples), fuzzyFilter(samples), tokenFilter(samples));
}

function elementFilter({ elements }: FilterSamples): fc.Arbitrary<Filter> {
  return fc.constantFrom(...Object.keys(elements)).chain((attribute) => {
    const value = fc.constantFrom(...(elements[attribute] ?? []));
    const kind = fc.constant('comparison' as const);
    return fc.oneof(
      fc.record({
        kind,
        attribute: fc.constant(attribute),
        operator: fc.constantFrom('contains', 'notContains', 'anyLt', 'anyLte', 'anyGt', 'anyGte'),
        values: value.map((one) => [one]),
      }),
      fc.record({
        kind,
        attribute: fc.constant(attribute),
        operator: fc.constantFrom('containsAny', 'notContainsAny'),
        values: fc.array(value, { maxLength: 3 }),
      }),
    ) as fc.Arbitrary<Filter>;
  });
}

const globParts = ['a', 'b', 'ab', 'cdef', 'AB', 'é', '.', '*', '*', '?', '[ab]', '[é.]'];
const expressions = [
  '^a',
  'b$',
  'a|é',
  '[a-c]{2,}',
  '.',
  '^.$',
  'x*',
  '^(ab)+c?',
  '[^a]',
  '\\p{L}',
  'AB',
  '(?:)',
  'd.f',
];

function patternedAttribute({ patterned, idKind }: FilterSamples): fc.Arbitrary<string> {
  return fc.constantFrom(...patterned, ...(idKind === 'string' ? ['id'] : []));
}

function patternFilter(samples: FilterSamples): fc.Arbitrary<Filter> {
  const kind = fc.constant('pattern' as const);
  const attribute = patternedAttribute(samples);
  return fc.oneof(
    fc.record({
      kind,
      attribute,
      operator: fc.constantFrom('glob' as const, 'notGlob' as const, 'iGlob' as const, 'notIGlob' as const),
      pattern: fc.array(fc.constantFrom(...globParts), { maxLength: 4 }).map((parts) => parts.join('')),
    }),
    fc.record({
      kind,
      attribute,
      operator: fc.constant('regex' as const),
      pattern: fc.constantFrom(...expressions),
    }),
  );
}

function fuzzyFilter(samples: FilterSamples): fc.Arbitrary<Filter> {
  return fc.record({
    kind: fc.constant('fuzzy' as const),
    attribute: patternedAttribute(samples),
    query: fc.constantFrom('abcdef', 'abXdefg', 'ABCDEFG', 'abcdefghi', 'abcé', 'abc', 'x', 'doc-11'),
    maxEditDistance: fc.subarray(
      [
        { minQueryChars: 9, distance: 2 },
        { minQueryChars: 3, distance: 0 },
        { minQueryChars: 6, distance: 1 },
      ],
      { minLength: 1 },
    ),
    caseSensitive: fc.boolean(),
  });
}

function tokenFilter({ searched, words }: FilterSamples): fc.Arbitrary<Filter> {
  return fc
    .record({
      attribute: fc.constantFrom(...searched),
      operator: fc.constantFrom('all' as const, 'any' as const, 'sequence' as const),
      query: fc.array(fc.constantFrom(...words, 'missing', 'b', 'de'), { maxLength: 3 }),
      isList: fc.boolean(),
      lastAsPrefix: fc.boolean(),
    })
    .map(({ query, isList, ...rest }) => ({ kind: 'tokens', texts: isList ? query : [query.join(' ')], ...rest }));
}
