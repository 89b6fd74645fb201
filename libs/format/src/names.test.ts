import { describe, expect, test } from '@jest/globals';
import { isLagoonError } from '@lagoon/base';
import fc from 'fast-check';
import { equalAttributeTypes, formatAttributeType, parseAttributeType } from './attribute-type.ts';
import { parseDocumentId } from './document-id.ts';
import { type AttributeType, scalarTypes } from './schema.ts';
import { formatUuid, parseUuid } from './uuid.ts';

const types: fc.Arbitrary<AttributeType> = fc.oneof(
  fc.constantFrom(...scalarTypes).map((scalar): AttributeType => ({ kind: 'scalar', scalar })),
  fc.constantFrom(...scalarTypes).map((scalar): AttributeType => ({ kind: 'array', scalar })),
  fc.record({
    kind: fc.constant('vector' as const),
    element: fc.constantFrom('f32', 'f16', 'i8'),
    dims: fc.integer({ min: 1, max: 10_752 }),
  }),
);

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    if (isLagoonError(error)) return error.code;
  }
  return undefined;
}

describe('attribute types', () => {
  test('spelling round-trips and tells types apart', () => {
    fc.assert(
      fc.property(types, types, (a, b) => {
        expect(parseAttributeType(formatAttributeType(a))).toEqual(a);
        expect(equalAttributeTypes(a, b)).toBe(formatAttributeType(a) === formatAttributeType(b));
      }),
    );
  });

  test('what is no type, and what is not there yet', () => {
    for (const text of ['', 'text', '[]', '[0]f32', '[10753]f32', '[-1]f32', '[2]f64', 'Int', '[][]int', '[2]f32 ']) {
      expect(codeOf(() => parseAttributeType(text))).toBe('invalid_argument');
    }
    for (const text of ['{}f32', '{}i8', '[][128]f32'])
      expect(codeOf(() => parseAttributeType(text))).toBe('unimplemented');
  });
});

describe('ids as text', () => {
  test('uuids round-trip in either case', () => {
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        expect(formatUuid(parseUuid(uuid.toUpperCase()) ?? new Uint8Array(16))).toBe(uuid);
        expect(parseDocumentId('uuid', uuid.toUpperCase())).toBe(uuid);
      }),
    );
  });

  test('u64 keeps every digit', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (id) => {
        expect(parseDocumentId('u64', String(id))).toBe(id);
      }),
    );
  });

  test('what is no id of the kind is refused', () => {
    const wrong = [
      ['u64', ''],
      ['u64', '-1'],
      ['u64', '1.0'],
      ['u64', '18446744073709551616'],
      ['uuid', '0123456789abcdef0123456789abcdef'],
      ['uuid', '01234567-89ab-cdef-0123-456789abcdeg'],
      ['string', ''],
      ['string', 'x'.repeat(65)],
    ] as const;
    for (const [kind, text] of wrong) expect(codeOf(() => parseDocumentId(kind, text))).toBe('invalid_argument');
  });
});
