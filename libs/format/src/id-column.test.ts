import { describe, expect, test } from '@jest/globals';
import { compareBytes, utf8Encode } from '@lagoon/base';
import fc from 'fast-check';
import { arbitraryId, arbitraryIdKind } from './block-samples.ts';
import type { IdColumn } from './column.ts';
import type { DocumentId } from './document-id.ts';
import { encodeBlock } from './encode-block.ts';
import { compareIds, findId, forEachCommonId, idAt } from './id-column.ts';
import { openBlock } from './open-block.v1.ts';
import type { IdKind } from './schema.ts';

function columnOf(idKind: IdKind, ids: readonly DocumentId[]): IdColumn {
  return openBlock(encodeBlock({ idKind, ids, deletes: [], columns: [] })).ids;
}

function idsOf(column: IdColumn): DocumentId[] {
  return Array.from({ length: column.count }, (_, row) => idAt(column, row));
}

const twoSets = arbitraryIdKind.chain((idKind) =>
  fc.tuple(
    fc.constant(idKind),
    fc.uniqueArray(arbitraryId(idKind), { maxLength: 60 }),
    fc.uniqueArray(arbitraryId(idKind), { maxLength: 60 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  ),
);

describe('id column', () => {
  test('find, compare and common ids agree with sets', () => {
    fc.assert(
      fc.property(twoSets, ([idKind, first, second, overlap]) => {
        const shared = first.slice(0, Math.floor(first.length * overlap));
        const a = columnOf(idKind, first);
        const b = columnOf(idKind, [...new Set([...second, ...shared])]);
        const inB = new Set(idsOf(b));
        const common: DocumentId[] = [];
        forEachCommonId(a, b, (rowA, rowB) => {
          expect(idAt(a, rowA)).toBe(idAt(b, rowB));
          common.push(idAt(a, rowA));
        });
        expect(common).toEqual(idsOf(a).filter((id) => inB.has(id)));
        for (const id of [...first, ...second]) expect(findId(a, id)).toBe(idsOf(a).indexOf(id));
        for (let row = 1; row < a.count; row++) expect(compareIds(a, row - 1, a, row)).toBeLessThan(0);
      }),
    );
  });

  test('strings are ordered by UTF-8 bytes, not by UTF-16 units', () => {
    const ids = ['\u{ff61}', '\u{1f600}', 'a', 'aa', 'Z'];
    const sorted = ids.toSorted((x, y) => compareBytes(utf8Encode(x), utf8Encode(y)));
    expect(idsOf(columnOf('string', ids))).toEqual(sorted);
    expect(sorted.indexOf('\u{ff61}')).toBeLessThan(sorted.indexOf('\u{1f600}'));
  });

  test('u64 ids above 2^53 are kept apart', () => {
    const column = columnOf('u64', [2n ** 53n + 1n, 2n ** 53n, 2n ** 64n - 1n]);
    expect(findId(column, 2n ** 53n + 1n)).toBe(1);
    expect(findId(column, 2n ** 64n - 1n)).toBe(2);
    expect(findId(column, 2n ** 64n)).toBe(-1);
    expect(findId(column, 'x')).toBe(-1);
  });
});
