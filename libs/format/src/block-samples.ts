import fc from 'fast-check';
import { createBitmap, setBit } from './bitmap.ts';
import type { BlockInput, ColumnInput } from './block-input.ts';
import type { DocumentId } from './document-id.ts';
import { type IdKind, type ScalarType, scalarTypes, type VectorElement } from './schema.ts';
import { packSparseEntry, sparseDimensionMax } from './sparse-entry.ts';
import type { AttributeValue } from './value.ts';

/** Arbitrary blocks for property tests, and the fixed one of the golden file. */
const text = fc.oneof(fc.string({ maxLength: 8 }), fc.string({ unit: 'grapheme', maxLength: 4 }));
const uuid = fc.uuid();

export const arbitraryScalars: {
  readonly [S in (typeof scalarTypes)[number]]: fc.Arbitrary<string | bigint | number | boolean | Uint8Array>;
} = {
  string: text,
  int: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  uint: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  float: fc.double({ noNaN: true, noDefaultInfinity: true }),
  uuid,
  datetime: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  bool: fc.boolean(),
  bytes: fc.uint8Array({ maxLength: 6 }),
};

export function arbitraryId(idKind: IdKind): fc.Arbitrary<DocumentId> {
  if (idKind === 'u64') return fc.oneof(fc.bigInt({ min: 0n, max: 20n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
  if (idKind === 'uuid') return uuid;
  return fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }).filter((id) => Buffer.byteLength(id) <= 64);
}

export const arbitraryIdKind: fc.Arbitrary<IdKind> = fc.constantFrom('u64', 'uuid', 'string');

/** Rows and deletes with disjoint ids, and up to four columns of arbitrary types over them. */
export const arbitraryBlockInput: fc.Arbitrary<BlockInput> = arbitraryIdKind.chain((idKind) =>
  fc.uniqueArray(arbitraryId(idKind), { maxLength: 24 }).chain((all) =>
    fc.integer({ min: 0, max: all.length }).chain((rowCount) =>
      fc.array(arbitraryColumn(rowCount), { maxLength: 4 }).map((columns) => ({
        idKind,
        ids: all.slice(0, rowCount),
        deletes: all.slice(rowCount),
        columns: columns.map((column, i) => ({ ...column, name: `a${i}` })),
      })),
    ),
  ),
);

function arbitraryColumn(rowCount: number): fc.Arbitrary<ColumnInput> {
  const rows = { minLength: rowCount, maxLength: rowCount };
  const scalar = fc.constantFrom(...scalarTypes);
  const scalars = scalar.chain((type) =>
    fc
      .array(fc.option(arbitraryScalars[type]), rows)
      .map((values): ColumnInput => ({ name: '', type: { kind: 'scalar', scalar: type }, values })),
  );
  const arrays = scalar.chain((type) =>
    fc
      .array(fc.option(fc.array(arbitraryScalars[type], { maxLength: 4 })), rows)
      .map((values): ColumnInput => ({ name: '', type: { kind: 'array', scalar: type }, values })),
  );
  const vectors = fc
    .record({ dims: fc.integer({ min: 1, max: 5 }), element: fc.constantFrom(...vectorElements) })
    .chain(({ dims, element }) =>
      fc
        .array(fc.option(fc.array(arbitraryComponents[element], { minLength: dims, maxLength: dims })), rows)
        .map((values) => vectorInput('', dims, values, element)),
    );
  return fc.oneof(scalars, arrays, vectors, sparseVectors(rows));
}

function sparseVectors(rows: { readonly minLength: number; readonly maxLength: number }): fc.Arbitrary<ColumnInput> {
  const weight = fc.float({ noNaN: true, min: -65_504, max: 65_504 });
  const dimension = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: sparseDimensionMax }));
  const entries = fc
    .uniqueArray(fc.record({ dimension, weight }), { selector: (entry) => entry.dimension, maxLength: 4 })
    .map((list) => list.sort((a, b) => a.dimension - b.dimension).map(packSparseEntry));
  return fc
    .array(fc.option(entries), rows)
    .map((values): ColumnInput => ({ name: '', type: { kind: 'array', scalar: 'entry' }, values }));
}

export const vectorElements = ['f32', 'f16', 'i8'] as const;

/** Numbers that the element holds exactly. */
export const arbitraryComponents: { readonly [E in VectorElement]: fc.Arbitrary<number> } = {
  f32: fc.float({ noNaN: true, min: -1e9, max: 1e9 }),
  f16: fc.float({ noNaN: true, min: -65_504, max: 65_504 }).map((value) => Math.f16round(value)),
  i8: fc.integer({ min: -128, max: 127 }),
};

export function vectorInput(
  name: string,
  dims: number,
  rows: readonly (readonly number[] | null)[],
  element: VectorElement = 'f32',
): ColumnInput {
  const values = new Float32Array(rows.length * dims);
  const nulls = createBitmap(rows.length);
  for (const [row, vector] of rows.entries()) {
    if (vector === null) setBit(nulls, row);
    else values.set(vector, row * dims);
  }
  return { name, type: { kind: 'vector', element, dims }, values, nulls };
}

/** One of everything: the content of golden/columns.v1.bin. */
export function goldenInput(): BlockInput {
  const scalar = (name: ScalarType, values: readonly AttributeValue[]): ColumnInput => ({
    name,
    type: { kind: 'scalar', scalar: name },
    values,
  });
  return {
    idKind: 'string',
    ids: ['b', 'a', 'ü'],
    deletes: ['z', 'y'],
    columns: [
      scalar('string', ['second', null, 'naïve']),
      scalar('int', [-1n, 2n ** 62n, null]),
      scalar('uint', [2n ** 64n - 1n, 0n, 1n]),
      scalar('float', [0.1, -0, null]),
      scalar('uuid', ['01234567-89ab-cdef-0123-456789abcdef', null, 'ffffffff-ffff-ffff-ffff-ffffffffffff']),
      scalar('datetime', [0n, 1_700_000_000_000n, -1n]),
      scalar('bool', [true, false, null]),
      scalar('bytes', [Uint8Array.of(0, 255), Uint8Array.of(), null]),
      { name: 'tags', type: { kind: 'array', scalar: 'string' }, values: [['x', 'yy'], [], null] },
      { name: 'counts', type: { kind: 'array', scalar: 'int' }, values: [[1n], [2n, 3n], null] },
      vectorInput('vector', 3, [[1, 2, 2], null, [0, 0, 0]]),
    ],
  };
}
