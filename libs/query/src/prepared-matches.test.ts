import { describe, expect, test } from '@jest/globals';
import { type Block, type IdKind, openBlock } from '@lagoon/format';
import fc from 'fast-check';
import { checkFilter } from './check-filter.ts';
import { filter, ids, schemaOf, values } from './oracle-samples.ts';
import { planFilter } from './plan-filter.ts';
import { createPreparedMatches } from './prepared-matches.ts';
import { encodeDocuments } from './testing.ts';

const idKind: IdKind = 'string';
const schema = schemaOf(idKind, 'cosine_distance');
const documents = fc.uniqueArray(fc.record({ id: fc.constantFrom(...ids[idKind]), values }), {
  selector: ({ id }) => id,
  minLength: 1,
});

describe('filters that are searched a few rows at a time', () => {
  test('match what they match at one go, each time they are asked', async () => {
    await fc.assert(
      fc.asyncProperty(
        documents,
        fc.nat(),
        fc.array(filter(idKind), { minLength: 1, maxLength: 3 }),
        async (rows, mask, filters) => {
          const block = openBlock(encodeDocuments(schema, rows, []));
          const live = Uint8Array.from({ length: Math.ceil(block.rowCount / 8) }, (_, i) => mask >>> (8 * i));
          const last = block.rowCount % 8;
          if (last > 0) live[live.length - 1] = (live.at(-1) ?? 0) & ((1 << last) - 1);
          const parts = [{ block, live }];
          const [prepared, plain] = [createPreparedMatches(parts), createPreparedMatches(parts)];
          for (const one of filters) {
            checkFilter(one, 'filters');
            const plan = planFilter(schema, one, 'filters');
            await prepared.prepare(plan, async () => {});
            const found = prepared.match(plan);
            expect(found).toEqual(plain.match(plan));
            for (const bits of found.values()) bits.fill(0); // an answer is its caller's
            expect(prepared.match(plan)).toEqual(plain.match(plan));
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  const block = (count: number, text: string): Block =>
    openBlock(
      encodeDocuments(
        schema,
        Array.from({ length: count }, (_, i) => ({ id: `row-${i}`, values: { s: text, i: BigInt(i % 10) } })),
        [],
      ),
    );
  const regex = planFilter(
    schema,
    { kind: 'pattern', attribute: 's', operator: 'regex', pattern: 'a(b|c)+x' },
    'filters',
  );

  test('let others run every few texts, and test only what quick filters leave', async () => {
    const prepared = createPreparedMatches([{ block: block(1_600, 'abcbcx'), live: undefined }]);
    let breaths = 0;
    const breathe = async () => void breaths++;
    await prepared.prepare(regex, breathe);
    expect(breaths).toBeGreaterThanOrEqual(100);
    breaths = 0;
    const few = planFilter(schema, { kind: 'comparison', attribute: 'i', operator: 'eq', values: [3n] }, 'filters');
    await prepared.prepare({ kind: 'and', filters: [regex, few] }, breathe);
    expect(breaths).toBeLessThanOrEqual(12);
    breaths = 0;
    await prepared.prepare(regex, breathe);
    await prepared.prepare(few, breathe);
    expect(breaths).toBe(0);
  });

  test('fail when they are asked, not before', async () => {
    const large = planFilter(
      schema,
      { kind: 'pattern', attribute: 's', operator: 'regex', pattern: '(a{90}){10}x' },
      'filters',
    );
    const prepared = createPreparedMatches([{ block: block(1, 'a'.repeat(2 << 20)), live: undefined }]);
    await prepared.prepare(large, async () => {});
    expect(() => prepared.match(large)).toThrow('a text is too long for an expression of this size');
  });

  test('end where their caller leaves', async () => {
    const prepared = createPreparedMatches([{ block: block(100, 'abx'), live: undefined }]);
    let breaths = 0;
    const leave = async () => {
      if (++breaths > 3) throw new DOMException('gone', 'AbortError');
    };
    const leaving = prepared.prepare(regex, leave);
    await expect(leaving).rejects.toMatchObject({ name: 'AbortError' });
    expect(prepared.match(regex).size).toBe(1);
  });
});
