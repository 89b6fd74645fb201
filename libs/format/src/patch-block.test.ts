import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  type AttributeValue,
  type Block,
  type ColumnInput,
  createBitmap,
  encodeBlock,
  encodeDeletes,
  encodeIds,
  encodePatched,
  idAt,
  openBlock,
  type Schema,
  setBit,
  valueAt,
} from './index.ts';
import type { AttributeType } from './schema.ts';

const types: Readonly<Record<string, AttributeType>> = {
  n: { kind: 'scalar', scalar: 'int' },
  s: { kind: 'scalar', scalar: 'string' },
  a: { kind: 'array', scalar: 'float' },
  v: { kind: 'vector', element: 'f32', dims: 2 },
};
const schema: Schema = {
  idKind: 'u64',
  attributes: new Map(Object.entries(types).map(([name, type]) => [name, { type, filterable: true }])),
};

type Cells = Readonly<Record<string, AttributeValue>>;

function blockOf(rows: ReadonlyMap<number, Cells>): Block {
  const all = [...rows.values()];
  const columns = Object.entries(types).map(([name, type]): ColumnInput => {
    if (type.kind !== 'vector') return { name, type, values: all.map((row) => row[name] ?? null) };
    const nulls = createBitmap(all.length);
    const values = new Float32Array(2 * all.length);
    for (const [index, row] of all.entries()) {
      const vector = row[name] ?? null;
      if (vector === null) setBit(nulls, index);
      else values.set(vector as Float32Array, 2 * index);
    }
    return { name, type, values, nulls };
  });
  return openBlock(encodeBlock({ idKind: 'u64', ids: [...rows.keys()].map(BigInt), deletes: [], columns }));
}

function clearedOf(rows: ReadonlyMap<number, readonly string[]>): Block {
  const columns = Object.keys(types).map(
    (name): ColumnInput => ({
      name,
      type: { kind: 'scalar', scalar: 'bool' },
      values: [...rows.values()].map((names) => names.includes(name)),
    }),
  );
  return openBlock(encodeBlock({ idKind: 'u64', ids: [...rows.keys()].map(BigInt), deletes: [], columns }));
}

function read(block: Block): Map<number, Cells> {
  const rows = new Map<number, Cells>();
  for (let row = 0; row < block.rowCount; row++) {
    const cells: Record<string, AttributeValue> = {};
    for (const { name, column } of block.columns.values()) {
      const value = valueAt(column, row);
      if (value !== null) cells[name] = value;
    }
    rows.set(Number(idAt(block.ids, row)), cells);
  }
  return rows;
}

const cells = fc.record(
  {
    n: fc.bigInt({ min: -5n, max: 5n }),
    s: fc.string({ maxLength: 6 }),
    a: fc.array(fc.integer().map(Number), { maxLength: 3 }),
    v: fc
      .tuple(fc.integer({ min: -3, max: 3 }), fc.integer({ min: -3, max: 3 }))
      .map((pair) => Float32Array.from(pair)),
  },
  { requiredKeys: [] },
);
const names = fc.subarray(Object.keys(types));

describe('patches', () => {
  test('lay given values over rows of several blocks, remove what is cleared, and keep the rest', () => {
    const document = fc.record({ before: cells, given: cells, cleared: names, source: fc.nat(2) });
    fc.assert(
      fc.property(fc.array(document, { minLength: 1, maxLength: 12 }), (documents) => {
        const numbered = documents.map((one, id) => ({ ...one, id }));
        const blocks = [0, 1, 2].map((source) =>
          blockOf(new Map(numbered.filter((one) => one.source === source).map((one) => [one.id, one.before]))),
        );
        const rowIn = ({ id, source }: { readonly id: number; readonly source: number }) =>
          numbered.filter((one) => one.source === source && one.id < id).length;
        const clear = ({ given, cleared }: (typeof numbered)[number]) => cleared.filter((name) => !(name in given));
        const patched = openBlock(
          encodePatched(
            {
              blocks,
              sources: Uint32Array.from(numbered, (one) => one.source),
              rows: Uint32Array.from(numbered, rowIn),
              values: blockOf(new Map(numbered.map((one) => [one.id, one.given]))),
              patchRows: Uint32Array.from(numbered, (one) => one.id),
              cleared: clearedOf(new Map(numbered.map((one) => [one.id, clear(one)]))),
            },
            schema,
          ),
        );
        const expected = numbered.map((one) => {
          const after: Record<string, AttributeValue> = { ...one.before };
          for (const name of clear(one)) delete after[name];
          return [one.id, { ...after, ...one.given }] as const;
        });
        expect(read(patched)).toEqual(new Map(expected));
      }),
    );
  });
});

test('deletes and ids of rows of several blocks are theirs, sorted', () => {
  const a = blockOf(
    new Map([
      [1, {}],
      [5, {}],
      [7, {}],
    ]),
  );
  const b = blockOf(
    new Map([
      [2, {}],
      [6, {}],
    ]),
  );
  const live = createBitmap(3);
  setBit(live, 0);
  setBit(live, 2);
  const sources = [{ block: b }, { block: a, live }];
  const deletes = openBlock(encodeDeletes('u64', sources));
  expect([
    deletes.rowCount,
    Array.from({ length: deletes.deletes.count }, (_, row) => idAt(deletes.deletes, row)),
  ]).toEqual([0, [1n, 2n, 6n, 7n]]);
  const ids = openBlock(encodeIds('u64', sources));
  expect([ids.deletes.count, [...read(ids).keys()]]).toEqual([0, [1, 2, 6, 7]]);
  expect(openBlock(encodeDeletes('u64', [])).deletes.count).toBe(0);
});
