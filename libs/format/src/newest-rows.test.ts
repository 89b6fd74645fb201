import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Block } from './column.ts';
import { encodeBlock } from './encode-block.ts';
import { idAt } from './id-column.ts';
import { mergeBlocks } from './merge-blocks.ts';
import { combineBlocks, createNewestRowsMerge } from './newest-rows.ts';
import { openBlock } from './open-block.v1.ts';
import type { Schema } from './schema.ts';
import { valueAt } from './value-at.ts';

const int = { kind: 'scalar', scalar: 'int' } as const;
const schema: Schema = { idKind: 'u64', attributes: new Map([['n', { type: int, filterable: true }]]) };

const change = fc
  .tuple(fc.uniqueArray(fc.nat(15), { maxLength: 6 }), fc.uniqueArray(fc.nat(15), { maxLength: 4 }))
  .map(([upserts, deletes]) => ({ upserts, deletes: deletes.filter((id) => !upserts.includes(id)) }));

function blockOf(upserts: readonly number[], deletes: readonly number[], value: number): Block {
  const columns = [{ name: 'n', type: int, values: upserts.map(() => BigInt(value)) }];
  return openBlock(encodeBlock({ idKind: 'u64', ids: upserts.map(BigInt), deletes: deletes.map(BigInt), columns }));
}

/** What blocks do to rows that were there before. */
function apply(blocks: readonly Block[]): Map<number, unknown> {
  const rows = new Map<number, unknown>(Array.from({ length: 16 }, (_, id) => [id, 'before']));
  for (const block of blocks) {
    const column = block.columns.get('n')?.column;
    for (let row = 0; row < block.rowCount; row++) {
      rows.set(Number(idAt(block.ids, row)), column && valueAt(column, row));
    }
    for (let row = 0; row < block.deletes.count; row++) rows.delete(Number(idAt(block.deletes, row)));
  }
  return rows;
}

describe('newest rows', () => {
  test('combined blocks say what the blocks said one after the other, in at most two', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 8 }), (changes) => {
        const blocks = changes.map(({ upserts, deletes }, index) => blockOf(upserts, deletes, index));
        const combined = combineBlocks(blocks, schema).map((bytes) => openBlock(bytes));
        expect(combined.length).toBeLessThanOrEqual(2);
        const sorted = (rows: Map<number, unknown>) => [...rows].sort(([a], [b]) => a - b);
        expect(sorted(apply(combined))).toEqual(sorted(apply(blocks)));
      }),
    );
  });

  test('pieces are within their bound, ascend by id and hold every surviving row once, however the merge is cut', () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 5 }), (changes, step) => {
        const blocks = changes.map(({ upserts, deletes }, index) => blockOf(upserts, deletes, index));
        const merge = createNewestRowsMerge(blocks, 400);
        while (merge.step(step));
        const ids = merge.result.pieces.flatMap((piece) => {
          const block = openBlock(mergeBlocks([...piece.live].map(([source, live]) => ({ block: source, live }))));
          expect(block.rowCount).toBe(piece.rowCount);
          return Array.from({ length: block.rowCount }, (_, row) => Number(idAt(block.ids, row)));
        });
        const expected = [...apply(blocks)].filter(([, value]) => value !== 'before').map(([id]) => id);
        expect(ids).toEqual(expected.sort((a, b) => a - b));
      }),
    );
  });
});
