import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createBitmap, setBit } from './bitmap.ts';
import { arbitraryBlockInput, vectorInput } from './block-samples.ts';
import type { Block } from './column.ts';
import type { DocumentId } from './document-id.ts';
import { encodeBlock } from './encode-block.ts';
import { compareIds, idAt } from './id-column.ts';
import { type MergeSource, mergeBlocks } from './merge-blocks.ts';
import { mergeSchema } from './merge-schema.ts';
import { openBlock } from './open-block.v1.ts';
import type { AttributeValue } from './value.ts';
import { valueAt } from './value-at.ts';

function rowOf(block: Block, row: number): Record<string, AttributeValue> {
  const values: Record<string, AttributeValue> = {};
  for (const { name, column } of block.columns.values()) {
    const value = valueAt(column, row);
    if (value !== null) values[name] = value;
  }
  return values;
}

describe('mergeBlocks', () => {
  test('holds the newest live row of every id, sorted, missing columns as nulls', () => {
    const versions = fc.array(arbitraryBlockInput, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(versions, (inputs) => {
        const idKind = inputs[0]?.idKind;
        // a name means one type everywhere: it is made of the type
        const blocks = inputs
          .filter((input) => input.idKind === idKind)
          .map((input) => {
            const byType = new Map(input.columns.map((column) => [JSON.stringify(column.type), column]));
            const columns = [...byType].map(([name, column]) => ({ ...column, name }));
            return openBlock(encodeBlock({ ...input, columns }));
          });
        const expected = new Map<DocumentId, Record<string, AttributeValue>>();
        const owner = new Map<DocumentId, number>();
        for (const [index, block] of blocks.entries()) {
          for (let row = 0; row < block.deletes.count; row++) {
            expected.delete(idAt(block.deletes, row));
            owner.delete(idAt(block.deletes, row));
          }
          for (let row = 0; row < block.rowCount; row++) {
            expected.set(idAt(block.ids, row), rowOf(block, row));
            owner.set(idAt(block.ids, row), index);
          }
        }
        const sources = blocks.map((block, index): MergeSource => {
          const live = createBitmap(block.rowCount);
          for (let row = 0; row < block.rowCount; row++) {
            if (owner.get(idAt(block.ids, row)) === index) setBit(live, row);
          }
          return { block, live };
        });
        const merged = openBlock(mergeBlocks(sources));
        const found = new Map<DocumentId, Record<string, AttributeValue>>();
        for (let row = 0; row < merged.rowCount; row++) {
          if (row > 0) expect(compareIds(merged.ids, row - 1, merged.ids, row)).toBeLessThan(0);
          found.set(idAt(merged.ids, row), rowOf(merged, row));
        }
        expect(found).toEqual(expected);
        expect(merged.deletes.count).toBe(0);
      }),
    );
  });

  test('one block alone, all rows live, keeps its bytes', () => {
    fc.assert(
      fc.property(arbitraryBlockInput, (input) => {
        const bytes = encodeBlock({ ...input, deletes: [] });
        expect(mergeBlocks([{ block: openBlock(bytes) }])).toEqual(bytes);
      }),
    );
  });

  test('coerces to the schema, and an id that lives twice is a bug', () => {
    const older = openBlock(
      encodeBlock({
        idKind: 'u64',
        ids: [1n],
        deletes: [],
        columns: [
          { name: 'x', type: { kind: 'scalar', scalar: 'int' }, values: [1n] },
          { name: 'v', type: { kind: 'array', scalar: 'int' }, values: [[1n, 2n]] },
        ],
      }),
    );
    const newer = openBlock(
      encodeBlock({
        idKind: 'u64',
        ids: [2n],
        deletes: [],
        columns: [
          { name: 'x', type: { kind: 'scalar', scalar: 'float' }, values: [0.5] },
          vectorInput('v', 2, [[3, 4]]),
        ],
      }),
    );
    const schema = mergeSchema(undefined, { attributes: [] }, newer);
    const merged = openBlock(mergeBlocks([{ block: newer }, { block: older }], schema));
    expect([rowOf(merged, 0), rowOf(merged, 1)]).toEqual([
      { x: 1, v: Float32Array.of(1, 2) },
      { x: 0.5, v: Float32Array.of(3, 4) },
    ]);
    expect(() => mergeBlocks([{ block: newer }, { block: newer }])).toThrow('live in one block');
    expect(openBlock(mergeBlocks([], schema)).rowCount).toBe(0);
  });
});
