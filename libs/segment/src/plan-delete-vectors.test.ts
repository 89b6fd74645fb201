import { expect, test } from '@jest/globals';
import { countBits, encodeBlock, getBit, openBlock } from '@lagoon/format';
import fc from 'fast-check';
import { planDeleteVectors } from './plan-delete-vectors.ts';

const id = fc.integer({ min: 0, max: 30 });
const idSet = fc.uniqueArray(id, { maxLength: 20 });
const later = fc.record({ upserts: idSet, deletes: idSet });

const blockOf = (upserts: readonly number[], deletes: readonly number[]) =>
  openBlock(
    encodeBlock({
      idKind: 'u64',
      ids: upserts.map(BigInt),
      deletes: deletes.filter((value) => !upserts.includes(value)).map(BigInt),
      columns: [],
    }),
  );

/** Rows in the order of ids, or the other way round. */
function rowsOf(count: number, isReversed: boolean): Uint32Array | undefined {
  return isReversed ? Uint32Array.from({ length: count }, (_, rank) => count - 1 - rank) : undefined;
}

test('exactly the rows die whose ids are written or deleted later, each counted once', () => {
  fc.assert(
    fc.property(
      fc.array(idSet, { maxLength: 3 }),
      fc.array(later, { maxLength: 4 }),
      idSet,
      fc.boolean(),
      (segments, batches, dead, isReversed) => {
        const blocks = segments.map((ids) => blockOf(ids, []));
        const deadBefore = blocks.map((block, i) => {
          const rows = rowsOf(block.rowCount, isReversed);
          const [plan] = planDeleteVectors([{ ids: block.ids, rows, dead: undefined }], [blockOf([], dead)]);
          return i === 0 ? plan?.dead : undefined;
        });
        const before = deadBefore.map((bitmap) => bitmap?.slice());
        const plans = planDeleteVectors(
          blocks.map((block, i) => ({
            ids: block.ids,
            rows: rowsOf(block.rowCount, isReversed),
            dead: deadBefore[i],
          })),
          batches.map(({ upserts, deletes }) => blockOf(upserts, deletes)),
        );
        expect(deadBefore).toEqual(before);
        for (const [i, ids] of segments.entries()) {
          const plan = plans[i];
          const touched = new Set(batches.flatMap(({ upserts, deletes }) => [...upserts, ...deletes]));
          const wasDead = (value: number) => i === 0 && dead.includes(value);
          const sorted = [...ids].sort((a, b) => a - b);
          const rows = rowsOf(sorted.length, isReversed);
          for (const [rank, value] of sorted.entries()) {
            const row = rows?.[rank] ?? rank;
            const isDead = plan?.dead !== undefined && getBit(plan.dead, row);
            expect(isDead).toBe(wasDead(value) || touched.has(value));
          }
          const killed = ids.filter((value) => touched.has(value) && !wasDead(value)).length;
          expect((plan?.supersededRowCount ?? 0) + (plan?.deletedRowCount ?? 0)).toBe(killed);
          expect(plan?.changed).toBe(killed > 0);
          expect(countBits(plan?.dead ?? new Uint8Array(0))).toBe(killed + ids.filter(wasDead).length);
        }
      },
    ),
  );
});

test('the first later block that names an id says how its row died', () => {
  const [plan] = planDeleteVectors(
    [{ ids: blockOf([1, 2], []).ids, rows: undefined, dead: undefined }],
    [blockOf([1], [2]), blockOf([2], [1])],
  );
  expect(plan).toMatchObject({ supersededRowCount: 1, deletedRowCount: 1 });
});
