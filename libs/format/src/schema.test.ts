import { describe, expect, test } from '@jest/globals';
import { isLagoonError } from '@lagoon/base';
import { parseAttributeType } from './attribute-type.ts';
import type { BlockInput, ColumnInput } from './block-input.ts';
import { vectorInput } from './block-samples.ts';
import { coerceBlock } from './coerce-block.ts';
import type { Block } from './column.ts';
import { encodeBlock } from './encode-block.ts';
import { idAt } from './id-column.ts';
import { mergeSchema } from './merge-schema.ts';
import { openBlock } from './open-block.v1.ts';
import { fullTextSearchDefaults, type Schema } from './schema.ts';
import type { AttributeDeclaration, SchemaDeclaration } from './schema-declaration.ts';
import type { AttributeValue } from './value.ts';
import { valueAt } from './value-at.ts';

const nothing: SchemaDeclaration = { attributes: [] };

function declare(...attributes: AttributeDeclaration[]): SchemaDeclaration {
  return { attributes };
}

function column(name: string, type: string, values: readonly AttributeValue[]): ColumnInput {
  return { name, type: parseAttributeType(type), values };
}

function blockOf(...columns: ColumnInput[]): Block {
  const [first] = columns;
  const rows = (first?.values.length ?? 1) / (first?.type.kind === 'vector' ? first.type.dims : 1);
  const ids = Array.from({ length: rows }, (_, i) => BigInt(i));
  return openBlock(encodeBlock({ idKind: 'u64', ids, deletes: [], columns }));
}

function stringBlock(ids: string[], deletes: string[] = [], columns: BlockInput['columns'] = []): Block {
  return openBlock(encodeBlock({ idKind: 'string', ids, deletes, columns }));
}

function schemaOf(types: Record<string, string>, idKind: Schema['idKind'] = 'u64'): Schema {
  const attributes = Object.entries(types).map(([name, type]) => ({ name, type: parseAttributeType(type) }));
  return mergeSchema(undefined, { idKind, attributes }, undefined);
}

/** Values of the only column after coercion. */
function coerceTo(type: string, from: ColumnInput): AttributeValue[] {
  const schema = schemaOf({ [from.name]: type });
  const block = blockOf(from);
  expect(mergeSchema(schema, nothing, block)).toBe(schema);
  const result = coerceBlock(block, schema);
  const coerced = result instanceof Uint8Array ? openBlock(result) : result;
  const named = coerced.columns.get(from.name);
  expect(named?.type).toEqual(parseAttributeType(type));
  return Array.from({ length: coerced.rowCount }, (_, row) => (named ? valueAt(named.column, row) : null));
}

function errorOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (isLagoonError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'none';
}

describe('mergeSchema', () => {
  test('infers attributes from columns, in their order, and is the same object when nothing changes', () => {
    const block = blockOf(
      column('title', 'string', ['x']),
      column('n', 'int', [1n]),
      vectorInput('vector', 2, [[1, 2]]),
    );
    const schema = mergeSchema(undefined, nothing, block);
    expect([...schema.attributes]).toEqual([
      ['title', { type: parseAttributeType('string'), filterable: true }],
      ['n', { type: parseAttributeType('int'), filterable: true }],
      ['vector', { type: parseAttributeType('[2]f32'), filterable: true, ann: { distanceMetric: 'cosine_distance' } }],
    ]);
    expect(mergeSchema(schema, nothing, block)).toBe(schema);
    expect(mergeSchema(schema, nothing, block, 'cosine_distance')).toBe(schema);
    expect(mergeSchema(schema, declare({ name: 'n', type: parseAttributeType('int') }), block)).toBe(schema);
  });

  test('a declaration decides the type before the data does, and columns without a value decide nothing', () => {
    const block = blockOf(column('when', 'string', ['2024-01-01']), column('later', 'int', [null]));
    const schema = mergeSchema(undefined, declare({ name: 'when', type: parseAttributeType('datetime') }), block);
    expect([...schema.attributes.keys()]).toEqual(['when']);
    expect(schema.attributes.get('when')?.type).toEqual(parseAttributeType('datetime'));
  });

  test('filterable follows full-text search unless it is said, and both change online', () => {
    const text = parseAttributeType('string');
    const created = mergeSchema(
      undefined,
      { idKind: 'u64', ...declare({ name: 't', type: text, fullTextSearch: true }) },
      undefined,
    );
    expect(created.attributes.get('t')).toEqual({
      type: text,
      filterable: false,
      fullTextSearch: fullTextSearchDefaults,
    });
    expect(mergeSchema(created, declare({ name: 't', fullTextSearch: true }), undefined)).toBe(created);
    const filterable = mergeSchema(created, declare({ name: 't', filterable: true }), undefined);
    expect(filterable.attributes.get('t')?.filterable).toBe(true);
    const settings = { ...fullTextSearchDefaults, stemming: true };
    const stemmed = mergeSchema(filterable, declare({ name: 't', fullTextSearch: settings }), undefined);
    expect(stemmed.attributes.get('t')).toEqual({ type: text, filterable: true, fullTextSearch: settings });
    const off = mergeSchema(stemmed, declare({ name: 't', fullTextSearch: false }), undefined);
    expect(off.attributes.get('t')).toEqual({ type: text, filterable: true });
  });

  test('glob, regex and fuzzy are settings of strings, change online, and the first two make the rest an exception', () => {
    const text = parseAttributeType('[]string');
    const of = (schema: Schema) => schema.attributes.get('t');
    const created = mergeSchema(
      undefined,
      { idKind: 'u64', ...declare({ name: 't', type: text, glob: true }) },
      undefined,
    );
    expect(of(created)).toEqual({ type: text, filterable: false, glob: true });
    expect(mergeSchema(created, declare({ name: 't', glob: true }), undefined)).toBe(created);
    const both = mergeSchema(created, declare({ name: 't', regex: true, filterable: true }), undefined);
    expect(of(both)).toEqual({ type: text, filterable: true, glob: true, regex: true });
    const off = mergeSchema(both, declare({ name: 't', regex: false, fuzzy: true }), undefined);
    expect(of(off)).toEqual({ type: text, filterable: true, glob: true, fuzzy: true });
    const plain = mergeSchema(created, declare({ name: 't', glob: false }), undefined);
    expect(of(plain)).toEqual({ type: text, filterable: true });
    const fuzzy = declare({ name: 'f', type: parseAttributeType('string'), fuzzy: true });
    expect(mergeSchema(created, fuzzy, undefined).attributes.get('f')?.filterable).toBe(true);
    const number = declare({ name: 'n', type: parseAttributeType('int'), regex: true });
    expect(errorOf(() => mergeSchema(created, number, undefined))).toContain('only string attributes have regex');
  });

  test("the metric is the declared one, the request's, or cosine, and does not change", () => {
    const block = blockOf(vectorInput('vector', 2, [[1, 2]]));
    const metric = (schema: Schema) => schema.attributes.get('vector')?.ann?.distanceMetric;
    expect(metric(mergeSchema(undefined, nothing, block, 'dot_product'))).toBe('dot_product');
    const declared = declare({ name: 'vector', ann: { distanceMetric: 'euclidean_squared' } });
    const schema = mergeSchema(undefined, declared, block, 'dot_product');
    expect(metric(schema)).toBe('euclidean_squared');
    expect(mergeSchema(schema, declared, block, 'dot_product')).toBe(schema);
    expect(errorOf(() => mergeSchema(schema, nothing, block, 'dot_product'))).toContain('attribute=vector');
    expect(
      mergeSchema(undefined, declare({ name: 'vector', ann: false }), block).attributes.get('vector')?.ann,
    ).toBeUndefined();
  });

  test('changes of type, dimensions and kind of id are refused by name', () => {
    const schema = schemaOf({ v: '[2]f32', s: 'string' });
    const refused = (...attributes: AttributeDeclaration[]) =>
      errorOf(() => mergeSchema(schema, declare(...attributes), undefined));
    expect(refused({ name: 'v', type: parseAttributeType('[3]f32') })).toContain(
      'attribute=v, type=[2]f32, declared=[3]f32',
    );
    expect(refused({ name: 's', type: parseAttributeType('int') })).toContain('attribute=s');
    expect(refused({ name: 's', ann: true })).toContain('attribute=s');
    expect(refused({ name: 'v', fullTextSearch: true })).toContain('attribute=v');
    expect(refused({ name: 'new' })).toContain('attribute=new');
    expect(refused({ name: 's' }, { name: 's' })).toContain('declared twice');
    expect(errorOf(() => mergeSchema(schema, { idKind: 'string', attributes: [] }, undefined))).toContain(
      'type=u64, declared=string',
    );
    expect(errorOf(() => mergeSchema(schema, nothing, stringBlock(['a'])))).toContain('type=string, expected=u64');
    expect(errorOf(() => mergeSchema(schema, nothing, blockOf(vectorInput('v', 3, [[1, 2, 3]]))))).toContain(
      'expected=[2]f32',
    );
    expect(errorOf(() => mergeSchema(schema, nothing, blockOf(column('s', 'int', [1n]))))).toContain(
      'type=int, expected=string',
    );
    expect(errorOf(() => mergeSchema(undefined, nothing, undefined))).toContain('id is not declared');
  });

  test('what is out of bounds is refused, vectors of every element are not', () => {
    const create = (attribute: AttributeDeclaration) =>
      errorOf(() => mergeSchema(undefined, { idKind: 'u64', attributes: [attribute] }, undefined));
    for (const type of ['[2]f32', '[2]f16', '[2]i8']) {
      expect(create({ name: 'v', type: parseAttributeType(type) })).toBe('none');
    }
    const text = parseAttributeType('string');
    const fts = (change: object) =>
      create({ name: 't', type: text, fullTextSearch: { ...fullTextSearchDefaults, ...change } });
    for (const change of [
      { tokenizer: 'word_v9' },
      { tokenizer: 'pre_tokenized_array' },
      { language: 'klingon' },
      { b: 2 },
      { k1: -1 },
      { k3: -1 },
      { k3: Infinity },
      { maxTokenLength: 0 },
    ]) {
      expect(fts(change)).toMatch(/^invalid_argument: .*attribute=t/);
    }
    const many = Array.from({ length: 1025 }, (_, i) => ({ name: `a${i}`, type: text }));
    expect(errorOf(() => mergeSchema(undefined, { idKind: 'u64', attributes: many }, undefined))).toContain(
      'too many attributes',
    );
  });

  test('a filterable text above 4 KiB is refused by id, a text that is not filterable may be longer', () => {
    const block = blockOf(column('t', 'string', ['short', 'x'.repeat(4097)]));
    expect(errorOf(() => mergeSchema(undefined, nothing, block))).toContain('attribute=t, id=1');
    const open = declare({ name: 't', filterable: false });
    expect(mergeSchema(undefined, open, block).attributes.get('t')?.filterable).toBe(false);
  });
});

describe('coerceBlock', () => {
  test('hands the same block back when nothing changes', () => {
    const block = blockOf(column('s', 'string', ['x', null]), vectorInput('vector', 2, [[1, 2], null]));
    expect(coerceBlock(block, mergeSchema(undefined, nothing, block))).toBe(block);
  });

  test('converts what JSON cannot tell apart, missing values kept', () => {
    expect(coerceTo('float', column('x', 'int', [1n, null, -2n]))).toEqual([1, null, -2]);
    expect(coerceTo('uint', column('x', 'int', [1n, null]))).toEqual([1n, null]);
    expect(coerceTo('int', column('x', 'uint', [1n, null]))).toEqual([1n, null]);
    expect(coerceTo('datetime', column('x', 'string', ['1970-01-02', null]))).toEqual([86_400_000n, null]);
    const uuid = '01234567-89ab-cdef-0123-456789abcdef';
    expect(coerceTo('uuid', column('x', 'string', [uuid.toUpperCase(), null]))).toEqual([uuid, null]);
    expect(coerceTo('bytes', column('x', 'string', ['AP8=', null, '']))).toEqual([
      Uint8Array.of(0, 255),
      null,
      new Uint8Array(),
    ]);
    expect(coerceTo('[]float', column('x', '[]int', [[1n, 2n], [], null]))).toEqual([[1, 2], [], null]);
    expect(coerceTo('[]datetime', column('x', '[]string', [['1970-01-01'], null]))).toEqual([[0n], null]);
    expect(coerceTo('[2]f32', column('x', '[]int', [[1n, 2n], null]))).toEqual([Float32Array.of(1, 2), null]);
    expect(coerceTo('[2]f32', column('x', '[]float', [[0.5, 2]]))).toEqual([Float32Array.of(0.5, 2)]);
    const base64 = Buffer.from(Float32Array.of(3, 4).buffer).toString('base64');
    expect(coerceTo('[2]f32', column('x', 'string', [base64, null]))).toEqual([Float32Array.of(3, 4), null]);
  });

  test('a column without values takes any type, or goes where the schema lacks it', () => {
    expect(coerceTo('[2]f32', column('x', 'bool', [null, null]))).toEqual([null, null]);
    expect(coerceTo('[]string', column('x', 'int', [null]))).toEqual([null]);
    const result = coerceBlock(blockOf(column('x', 'int', [null])), schemaOf({ y: 'int' }));
    expect(result instanceof Uint8Array ? openBlock(result).columns.size : -1).toBe(0);
  });

  test('empty arrays fit every array type', () => {
    expect(coerceTo('[]int', column('x', '[]string', [[], null]))).toEqual([[], null]);
    expect(coerceTo('[]datetime', column('x', '[]bool', [[]]))).toEqual([[]]);
  });

  test('what does not fit names attribute, id and both types', () => {
    const cases: [string, ColumnInput][] = [
      ['uint', column('x', 'int', [1n, -1n])],
      ['int', column('x', 'uint', [1n, 2n ** 63n])],
      ['datetime', column('x', 'string', ['2024-01-01', 'soon'])],
      ['uuid', column('x', 'string', [null, 'none'])],
      ['bytes', column('x', 'string', ['AA==', '?'])],
      ['[]uint', column('x', '[]int', [[1n], [2n, -3n]])],
      [
        '[2]f32',
        column('x', '[]float', [
          [1, 2],
          [1, 2, 3],
        ]),
      ],
      ['[2]f32', column('x', 'string', [null, 'AAAA'])],
    ];
    for (const [to, from] of cases) {
      const error = errorOf(() => coerceBlock(blockOf(from), schemaOf({ x: to })));
      expect(error).toMatch(/^invalid_argument/);
      expect(error).toContain(`attribute=x, id=1, type=${typeName(from)}, expected=${to}`);
    }
    expect(errorOf(() => coerceBlock(blockOf(column('x', 'bool', [true])), schemaOf({ x: 'int' })))).toContain('id=0');
  });

  test('string ids become uuids, sorted anew and still unique', () => {
    // as text, upper case comes first; as bytes, a is below b
    const low = 'a1234567-89ab-cdef-0123-456789abcdef';
    const high = 'B1234567-89AB-CDEF-0123-456789ABCDEF';
    const schema = schemaOf({ n: 'int' }, 'uuid');
    const block = stringBlock([low, high], [], [column('n', 'int', [1n, 2n])]);
    const result = coerceBlock(block, schema);
    const coerced = openBlock(result instanceof Uint8Array ? result : result.bytes);
    const n = coerced.columns.get('n');
    expect([0, 1].map((row) => [idAt(coerced.ids, row), n && valueAt(n.column, row)])).toEqual([
      [low, 1n],
      [high.toLowerCase(), 2n],
    ]);
    expect(errorOf(() => coerceBlock(stringBlock([high, high.toLowerCase()]), schema))).toContain('twice');
    expect(errorOf(() => coerceBlock(stringBlock([high], [high.toLowerCase()]), schema))).toContain('twice');
    expect(errorOf(() => coerceBlock(stringBlock(['x']), schema))).toContain('id=x, type=string, expected=uuid');
  });
});

function typeName(input: ColumnInput): string {
  return input.type.kind === 'array' ? `[]${input.type.scalar}` : input.type.kind === 'scalar' ? input.type.scalar : '';
}
