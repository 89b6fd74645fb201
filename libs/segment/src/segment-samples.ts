import {
  type AttributeSchema,
  type AttributeType,
  type AttributeValue,
  type Block,
  type DocumentId,
  encodeBlock,
  fullTextSearchDefaults,
  type IdKind,
  idAt,
  openBlock,
  type ScalarType,
  type Schema,
  valueAt,
} from '@lagoon/format';
import fc from 'fast-check';

/** Rows of every type for this package's tests, random and fixed. */
export interface SampleRow {
  readonly id: DocumentId;
  readonly values: Readonly<Record<string, AttributeValue | readonly number[]>>;
}

const scalar = (name: ScalarType): AttributeType => ({ kind: 'scalar', scalar: name });
const filterable = (type: AttributeType): AttributeSchema => ({ type, filterable: true });

export function sampleSchema(idKind: IdKind): Schema {
  return {
    idKind,
    attributes: new Map<string, AttributeSchema>([
      ['v', { type: { kind: 'vector', element: 'f32', dims: 3 }, filterable: false }],
      ['text', { type: scalar('string'), filterable: false, fullTextSearch: fullTextSearchDefaults }],
      ['tags', filterable({ kind: 'array', scalar: 'string' })],
      [
        'words',
        { type: { kind: 'array', scalar: 'string' }, filterable: true, fullTextSearch: fullTextSearchDefaults },
      ],
      ['s', { ...filterable(scalar('string')), regex: true }],
      ['i', filterable(scalar('int'))],
      ['f', filterable(scalar('float'))],
      ['b', filterable(scalar('bool'))],
      ['g', filterable(scalar('uuid'))],
      ['numbers', filterable({ kind: 'array', scalar: 'int' })],
    ]),
  };
}

const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 4, nil: null });
const word = fc.constantFrom('red', 'green', 'Blue', 'tief', 'see', 'naïve');
const uuid = fc.integer({ min: 0, max: 99 }).map((n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`);

const values = fc.record({
  v: nullable(fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 3, maxLength: 3 })),
  text: nullable(fc.array(word, { maxLength: 9 }).map((list) => list.join(' '))),
  tags: nullable(fc.array(word, { maxLength: 3 })),
  words: nullable(fc.array(word, { maxLength: 3 })),
  s: nullable(fc.string()),
  i: nullable(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  f: nullable(fc.double({ noNaN: true, noDefaultInfinity: true })),
  b: nullable(fc.boolean()),
  g: nullable(uuid),
  numbers: nullable(fc.array(fc.bigInt({ min: -5n, max: 5n }), { maxLength: 3 })),
}) as fc.Arbitrary<SampleRow['values']>;

const ids: Record<IdKind, fc.Arbitrary<DocumentId>> = {
  u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  uuid,
  string: fc.string({ minLength: 1, maxLength: 16, unit: 'grapheme-ascii' }),
};

export function sampleRows(idKind: IdKind, maxLength = 40): fc.Arbitrary<SampleRow[]> {
  return fc.uniqueArray(fc.record({ id: ids[idKind], values }), { selector: (row) => row.id, maxLength });
}

export function blockOf(schema: Schema, rows: readonly SampleRow[]): Block {
  const columns = [...schema.attributes].map(([name, { type }]) => {
    const present = rows.map((row) => row.values[name] ?? null);
    if (type.kind !== 'vector') return { name, type, values: present as AttributeValue[] };
    const vectors = new Float32Array(rows.length * type.dims);
    const nulls = new Uint8Array(Math.ceil(rows.length / 8));
    for (const [row, vector] of present.entries()) {
      if (vector === null) nulls[row >> 3] = (nulls[row >> 3] as number) | (1 << (row & 7));
      else vectors.set(vector as readonly number[], row * type.dims);
    }
    return { name, type, values: vectors, nulls };
  });
  return openBlock(encodeBlock({ idKind: schema.idKind, ids: rows.map((row) => row.id), deletes: [], columns }));
}

/** What rows say, whatever the bytes are: id → values. */
export function contentOf(block: Block): Map<DocumentId, Record<string, AttributeValue>> {
  const content = new Map<DocumentId, Record<string, AttributeValue>>();
  for (let row = 0; row < block.rowCount; row++) {
    const named = [...block.columns.values()].map(({ name, column }) => [name, valueAt(column, row)] as const);
    content.set(idAt(block.ids, row), Object.fromEntries(named.filter(([, value]) => value !== null)));
  }
  return content;
}

/** So many rows that sections have several granules; small values. */
export function manyRows(idKind: IdKind, count: number): SampleRow[] {
  return Array.from({ length: count }, (_, n) => ({
    id:
      idKind === 'u64'
        ? BigInt(3 * n)
        : idKind === 'uuid'
          ? uuidOf(3 * n)
          : `document-${String(3 * n).padStart(7, '0')}`,
    values: {
      v: [n % 7, n % 11, 1],
      text: `row number ${n} of ${count} ${n % 3 === 0 ? 'fizz' : ''} ${n % 5 === 0 ? 'buzz buzz' : ''}`,
      ...(n % 4 === 0 ? {} : { s: `value ${n % 100}` }),
      i: BigInt(n * n),
      tags: n % 2 === 0 ? ['even'] : ['odd', 'strange'],
    },
  }));
}

function uuidOf(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
}
