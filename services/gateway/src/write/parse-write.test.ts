import { describe, expect, test } from '@jest/globals';
import { type Block, idAt, isNull, openBlock, valueAt } from '@lagoon/format';
import fc from 'fast-check';
import { createTestGateway } from '../testing/recording-backends.ts';

/** What the ingester gets for a body, as documents by id. */
async function written(body: unknown): Promise<{ block: Block; documents: Map<unknown, Record<string, unknown>> }> {
  const { call, backends } = createTestGateway();
  const answer = await call('POST', '/v2/namespaces/a', body);
  expect(answer.text).toContain('"status":"OK"');
  const block = openBlock(backends.appends[0]?.block ?? new Uint8Array(0));
  const documents = new Map<unknown, Record<string, unknown>>();
  for (let row = 0; row < block.rowCount; row++) {
    const document: Record<string, unknown> = {};
    for (const { name, column } of block.columns.values()) {
      if (!isNull(column.nulls, row)) document[name] = valueAt(column, row);
    }
    documents.set(idAt(block.ids, row), document);
  }
  return { block, documents };
}

const base64 = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer).toString('base64');

const typeOf = (block: Block, name: string) => block.columns.get(name)?.type;

describe('write: what a body becomes', () => {
  test('rows with JSON and base64 vectors, missing values and all inferred types', async () => {
    const { block, documents } = await written({
      upsert_rows: [
        { id: 3, vector: [1, 2], s: 'x', i: 1, f: 1, b: true, a: ['p'], n: [1, 2.5] },
        { id: 1, vector: base64(0.5, -1), s: null, f: 2.5, a: [] },
        { id: 2, i: -4 },
      ],
    });
    expect(documents.get(3n)).toEqual({
      vector: Float32Array.of(1, 2),
      s: 'x',
      i: 1n,
      f: 1,
      b: true,
      a: ['p'],
      n: [1, 2.5],
    });
    expect(documents.get(1n)).toEqual({ vector: Float32Array.of(0.5, -1), f: 2.5, a: [] });
    expect(documents.get(2n)).toEqual({ i: -4n });
    expect(typeOf(block, 'vector')).toEqual({ kind: 'vector', element: 'f32', dims: 2 });
    expect(typeOf(block, 'f')).toEqual({ kind: 'scalar', scalar: 'float' });
    expect(typeOf(block, 'n')).toEqual({ kind: 'array', scalar: 'float' });
  });

  test('columns mean the same as rows', async () => {
    const row = fc.record(
      {
        vector: fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })),
        text: fc.string(),
        count: fc.maxSafeInteger(),
        score: fc
          .double({ noNaN: true, noDefaultInfinity: true })
          .filter((value) => Math.abs(value) >= 2 ** 64 || !Number.isInteger(value)),
        flag: fc.boolean(),
        tags: fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 }),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), fc.boolean(), async (rows, asText) => {
        const names = ['vector', 'text', 'count', 'score', 'flag', 'tags'] as const;
        const vectorOf = (value: readonly number[] | undefined) =>
          value === undefined ? null : asText ? base64(...value) : value;
        const columns = Object.fromEntries(
          names.map((name) => [name, rows.map((r) => (name === 'vector' ? vectorOf(r.vector) : (r[name] ?? null)))]),
        );
        const fromRows = await written({ upsert_rows: rows.map((r, index) => ({ id: `k${index}`, ...r })) });
        const fromColumns = await written({ upsert_columns: { id: rows.map((_, index) => `k${index}`), ...columns } });
        expect(fromColumns.documents).toEqual(fromRows.documents);
        for (const [index, r] of rows.entries()) {
          const { vector, count, ...rest } = r;
          expect(fromRows.documents.get(`k${index}`)).toEqual({
            ...rest,
            ...(vector === undefined ? {} : { vector: Float32Array.from(vector) }),
            ...(count === undefined ? {} : { count: BigInt(count) }),
          });
        }
      }),
      { numRuns: 60 },
    );
  });

  test('u64 ids and 64-bit integers arrive with all digits, sorted', async () => {
    const { block, documents } = await written(
      '{"upsert_rows":[{"id":18446744073709551615,"i":-9223372036854775808},{"id":9007199254740993,"i":5}],"deletes":[18446744073709551614]}',
    );
    expect([...documents.keys()]).toEqual([9007199254740993n, 18446744073709551615n]);
    expect(documents.get(18446744073709551615n)).toEqual({ i: -9223372036854775808n });
    expect(idAt(block.deletes, 0)).toBe(18446744073709551614n);
  });

  test('integers above the signed range make the column uint', async () => {
    const { block } = await written('{"upsert_rows":[{"id":1,"h":18446744073709551615},{"id":2,"h":1}]}');
    expect(typeOf(block, 'h')).toEqual({ kind: 'scalar', scalar: 'uint' });
  });

  test('rows and columns in one request are one block', async () => {
    const { documents } = await written({
      upsert_rows: [{ id: 'a', x: 1 }],
      upsert_columns: { id: ['b', 'c'], x: [2, null], y: ['p', 'q'] },
    });
    expect([...documents]).toEqual([
      ['a', { x: 1n }],
      ['b', { x: 2n, y: 'p' }],
      ['c', { y: 'q' }],
    ]);
  });

  test('an attribute may be named like a property of every object', async () => {
    const { documents } = await written('{"upsert_rows":[{"id":1,"__proto__":"x","constructor":"y","toString":2}]}');
    expect(Object.keys(documents.get(1n) ?? {}).sort()).toEqual(['constructor', 'toString']);
    expect(documents.get(1n)).toMatchObject({ constructor: 'y', toString: 2n });
  });

  test('a declared vector attribute is packed by its declaration', async () => {
    const { block } = await written({
      upsert_rows: [
        { id: 1, v2: [1, 2] },
        { id: 2, v2: base64(3, 4) },
      ],
      schema: { v2: { type: '[2]f32', ann: true } },
    });
    expect(typeOf(block, 'v2')).toEqual({ kind: 'vector', element: 'f32', dims: 2 });
  });

  test('arrays and base64 texts in one attribute are vectors, declared before or not', async () => {
    const { block, documents } = await written({
      upsert_rows: [{ id: 1, other: base64(3, 4) }, { id: 2 }, { id: 3, other: [1, 2.5] }],
    });
    expect(typeOf(block, 'other')).toEqual({ kind: 'vector', element: 'f32', dims: 2 });
    expect(documents.get(1n)).toEqual({ other: Float32Array.of(3, 4) });
    expect(documents.get(2n)).toEqual({});
    const { call } = createTestGateway();
    const mixed = await call('POST', '/v2/namespaces/a', {
      upsert_rows: [
        { id: 1, c: [1] },
        { id: 2, c: 'red' },
      ],
    });
    expect(mixed.text).toMatch(/upsert_rows\[1\].c: expected an array as in the rows before, found a string/);
  });

  test('everything beside the rows is passed on', async () => {
    const { call, backends } = createTestGateway();
    await call(
      'POST',
      '/v2/namespaces/a',
      {
        upsert_rows: [{ id: 'x', text: 'y', vector: [1] }],
        schema: {
          id: 'uuid',
          text: { type: 'string', full_text_search: { k1: 2 } },
          vector: { type: '[1]f32', ann: true },
        },
        distance_metric: 'dot_product',
        create_namespace: false,
        disable_backpressure: true,
      },
      { 'idempotency-key': 'k-1' },
    );
    const append = backends.appends[0];
    expect(append).toMatchObject({
      namespace: 'a',
      distanceMetric: 'dot_product',
      createNamespace: false,
      disableBackpressure: true,
      idempotencyKey: 'k-1',
    });
    expect(append?.bodyHash).toHaveLength(32);
    expect(append?.schema).toMatchObject({
      idType: 'uuid',
      attributes: [
        { name: 'text', type: 'string', fullTextSearch: { tokenizer: 'word_v4', language: 'english', k1: 2, b: 0.75 } },
        { name: 'vector', type: '[1]f32', ann: { distanceMetric: '' } },
      ],
    });
  });
});

describe('write: bad input', () => {
  const rows = (...list: unknown[]) => ({ upsert_rows: list });
  test.each<[string, unknown, number, RegExp]>([
    ['no json', '{"upsert_rows": [', 400, /not json/],
    ['another shape of the body', '[1]', 422, /body: expected an object, found an array/],
    ['nothing to do', {}, 400, /nothing to do/],
    ['an unknown field', { upsert_row: [] }, 422, /upsert_row: unknown field/],
    ['rows that are no array', { upsert_rows: {} }, 422, /upsert_rows: expected an array of rows, found an object/],
    ['a row that is no object', rows({ id: 1 }, 5), 422, /upsert_rows\[1\]: expected an object, found an integer/],
    ['a missing id', rows({ id: 1 }, { a: 2 }), 422, /upsert_rows\[1\].id: expected an id .* found nothing/],
    ['a negative id', rows({ id: -1 }), 400, /upsert_rows\[0\].id: an integer id is from 0/],
    ['a fractional id', rows({ id: 1.5 }), 400, /upsert_rows\[0\].id: an id has no fraction/],
    ['an id above u64', '{"upsert_rows":[{"id":18446744073709551616}]}', 400, /id: an integer id is from 0/],
    ['an id with an exponent', '{"upsert_rows":[{"id":1e30}]}', 400, /id: an integer id/],
    ['an id of 65 bytes', rows({ id: 'x'.repeat(65) }), 400, /id: the id is too long \(bytes=65/],
    ['an id of 33 wide characters', rows({ id: 'é'.repeat(33) }), 400, /too long \(bytes=66/],
    ['an empty id', rows({ id: '' }), 400, /an id is empty/],
    ['mixed ids', rows({ id: 1 }, { id: 'a' }), 400, /upsert_rows\[1\].id: ids are .* mixed: upsert_rows\[0\].id/],
    ['ids mixed with deletes', { ...rows({ id: 1 }), deletes: ['a'] }, 400, /deletes\[0\]: .*mixed/],
    ['one id twice', rows({ id: 1 }, { id: 1 }), 400, /twice.*id=1/],
    ['one id upserted and deleted', { ...rows({ id: 1 }), deletes: [1] }, 400, /twice.*id=1/],
    ['half of a surrogate pair as id', '{"upsert_rows":[{"id":"\\ud800"}]}', 400, /surrogate/],
    [
      'half of a surrogate pair as value',
      '{"upsert_rows":[{"id":1,"t":"\\ud800"}]}',
      400,
      /upsert_rows\[0\].t: .*surrogate/,
    ],
    [
      'another dimension',
      rows({ id: 1, vector: [1, 2] }, { id: 2, vector: [1] }),
      400,
      /upsert_rows\[1\].vector: .*dimensions \(expected=2, found=1/,
    ],
    [
      'another dimension in base64',
      rows({ id: 1, vector: [1, 2] }, { id: 2, vector: base64(1) }),
      400,
      /upsert_rows\[1\].vector: .*dimensions/,
    ],
    ['an empty vector', rows({ id: 1, vector: [] }), 400, /upsert_rows\[0\].vector: the vector is empty/],
    ['an empty base64 vector', rows({ id: 1, vector: '' }), 400, /the vector is empty/],
    [
      'NaN in base64',
      rows({ id: 1, vector: base64(1, Number.NaN) }),
      400,
      /upsert_rows\[0\].vector\[1\]: not a finite f32 \(found=NaN/,
    ],
    [
      'infinity in base64',
      rows({ id: 1, vector: base64(Infinity) }),
      400,
      /upsert_rows\[0\].vector\[0\]: not a finite f32/,
    ],
    ['a number beyond f32', rows({ id: 1, vector: [1, 1e39] }), 400, /upsert_rows\[0\].vector\[1\]: not a finite f32/],
    ['a norm beyond f32', rows({ id: 1, vector: [3e38, 3e38] }), 400, /upsert_rows\[0\].vector: the squared norm/],
    [
      'a string in a vector',
      rows({ id: 1, vector: [1, 'x'] }),
      422,
      /upsert_rows\[0\].vector\[1\]: expected a number, found a string/,
    ],
    ['null in a vector', rows({ id: 1, vector: [1, null] }), 422, /vector\[1\]: expected a number, found null/],
    [
      'a vector that is a number',
      rows({ id: 1, vector: 7 }),
      422,
      /upsert_rows\[0\].vector: expected a vector .* found an integer/,
    ],
    ['a vector that is no base64', rows({ id: 1, vector: '!!!!????AAAAAAAA' }), 400, /upsert_rows\[0\].vector: /],
    ['a vector of 3 bytes', rows({ id: 1, vector: 'AAAA' }), 400, /not a whole number of 4-byte floats/],
    ['too many dimensions', rows({ id: 1, vector: new Array(10_753).fill(1) }), 400, /too many dimensions/],
    ['vectors in a vector', rows({ id: 1, vector: [[1, 2]] }), 400, /lists of vectors/],
    [
      'types mixed in an attribute',
      rows({ id: 1, c: 'x' }, { id: 2, c: 5 }),
      400,
      /upsert_rows\[1\].c: expected a string as in the rows before, found an integer/,
    ],
    [
      'an array among scalars',
      rows({ id: 1, c: 'x' }, { id: 2, c: ['x'] }),
      400,
      /upsert_rows\[1\].c: expected a string .* found an array/,
    ],
    [
      'a scalar among arrays',
      rows({ id: 1, c: ['x'] }, { id: 2, c: 'x' }),
      400,
      /upsert_rows\[1\].c: expected an array .* found a string/,
    ],
    [
      'types mixed in an array',
      rows({ id: 1, c: ['x', 1] }),
      400,
      /upsert_rows\[0\].c\[1\]: expected a string .* found an integer/,
    ],
    [
      'null in an array',
      rows({ id: 1, c: ['x', null] }),
      400,
      /upsert_rows\[0\].c\[1\]: an element of an array is null/,
    ],
    ['an array in an array', rows({ id: 1, c: [['x']] }), 400, /arrays of arrays/],
    [
      'an object as value',
      rows({ id: 1, c: { x: 1 } }),
      400,
      /upsert_rows\[0\].c.x: an object is a sparse vector, whose dimensions are integers/,
    ],
    [
      'an integer beyond 64 bits',
      '{"upsert_rows":[{"id":1,"c":18446744073709551616}]}',
      400,
      /upsert_rows\[0\].c: the integer does not fit/,
    ],
    [
      'a negative and a huge integer',
      '{"upsert_rows":[{"id":1,"c":-1},{"id":2,"c":18446744073709551615}]}',
      400,
      /upsert_rows\[1\].c: .* upsert_rows\[0\].c is negative/,
    ],
    [
      'a number out of range',
      '{"upsert_rows":[{"id":1,"c":1e999}]}',
      400,
      /upsert_rows\[0\].c: the number is out of range/,
    ],
    ['an attribute that begins with $', rows({ id: 1, $dist: 1 }), 400, /do not begin with \$/],
    ['an attribute without a name', rows({ id: 1, '': 1 }), 400, /empty name/],
    ['a name of 129 bytes', rows({ id: 1, ['n'.repeat(129)]: 1 }), 400, /name is too long/],
    [
      'columns without ids',
      { upsert_columns: { a: [1] } },
      422,
      /upsert_columns.id: expected an array of ids, found nothing/,
    ],
    ['a shorter column', { upsert_columns: { id: [1, 2], a: [1] } }, 400, /upsert_columns.a: .*\(ids=2, values=1/],
    ['a column that is no array', { upsert_columns: { id: [1], a: 1 } }, 422, /upsert_columns.a: expected an array/],
    [
      'a wrong value in a column',
      { upsert_columns: { id: [1, 2], a: ['x', 1] } },
      400,
      /upsert_columns.a\[1\]: expected a string/,
    ],
    [
      'a wrong vector in a column',
      { upsert_columns: { id: [1, 2], vector: [[1], [2, 3]] } },
      400,
      /upsert_columns.vector\[1\]: /,
    ],
    ['deletes that are no array', { deletes: 5 }, 422, /deletes: expected an array of ids, found an integer/],
    [
      'an unknown metric',
      { ...rows({ id: 1 }), distance_metric: 'manhattan' },
      400,
      /distance_metric: expected one of cosine_distance/,
    ],
    [
      'a flag that is no boolean',
      { ...rows({ id: 1 }), create_namespace: 'yes' },
      422,
      /create_namespace: expected a boolean, found a string/,
    ],
    ['an unknown type', { schema: { a: 'strng' } }, 400, /unknown attribute type.*strng/],
    ['a type of another shape', { schema: { a: 5 } }, 422, /schema.a: expected a type or an object/],
    [
      'an unknown setting',
      { schema: { a: { type: 'string', indexed: true } } },
      422,
      /schema.a.indexed: unknown field/,
    ],
    [
      'full text on a number',
      { schema: { a: { type: 'int', full_text_search: true } } },
      400,
      /schema.a.full_text_search: only string/,
    ],
    [
      'an unknown tokenizer',
      { schema: { a: { type: 'string', full_text_search: { tokenizer: 'x' } } } },
      400,
      /tokenizer: expected one of word_v4/,
    ],
    ['regex on a number', { schema: { a: { type: 'int', regex: true } } }, 400, /schema.a.regex: only string/],
    ['glob on a vector', { schema: { a: { type: '[2]f32', glob: true } } }, 400, /schema.a.glob: only string/],
    ['fuzzy of another shape', { schema: { a: { type: 'string', fuzzy: 1 } } }, 422, /schema.a.fuzzy: expected a bool/],
    ['ann on a string', { schema: { a: { type: 'string', ann: true } } }, 400, /schema.a.ann: only vector/],
    ['a wrong id type', { schema: { id: 'float' } }, 400, /schema.id: an id is uint, uuid or string/],
    ['an id type that every object has', { schema: { id: 'constructor' } }, 400, /schema.id/],
    ['embedding on the server', { schema: { a: { type: 'string', embed: 'm' } } }, 400, /embed/],
    [
      'late interaction',
      { schema: { a: { type: '[][4]f32', ann: { late_interaction: true } } } },
      400,
      /lists of vectors/,
    ],
  ])('%s', async (_name, body, status, message) => {
    const { call, backends } = createTestGateway();
    const answer = await call('POST', '/v2/namespaces/a', body);
    expect((answer.json as { error: string }).error).toMatch(message);
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ status: 'error' });
    expect(backends.appends).toHaveLength(0);
  });

  test('more than 1,024 attributes are refused', async () => {
    const { call } = createTestGateway();
    const row = Object.fromEntries(Array.from({ length: 1_025 }, (_, index) => [`a${index}`, 1]));
    expect((await call('POST', '/v2/namespaces/a', rows({ id: 1, ...row }))).text).toMatch(/too many attributes/);
  });

  test('a small body that would be huge as columns is 413', async () => {
    const { call } = createTestGateway({ blockBytesMax: 1 << 20 });
    const many = Array.from({ length: 2_000 }, (_, index) => ({ id: index + 1 }));
    const wide = await call('POST', '/v2/namespaces/a', rows({ id: 0, vector: new Array(1_000).fill(1) }, ...many));
    expect(wide.status).toBe(413);
    const attributes = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`a${index}`, 1]));
    expect((await call('POST', '/v2/namespaces/a', rows({ id: 0, ...attributes }, ...many))).status).toBe(413);
  });

  test.each([
    ['encryption', { mode: 'default' }],
    ['sharding', { num_shards: 2 }],
  ])('%s answers 501 with its name', async (name, value) => {
    const { call, backends } = createTestGateway();
    const answer = await call('POST', '/v2/namespaces/a', { ...rows({ id: 1 }), [name]: value });
    expect(answer.status).toBe(501);
    expect(answer.text).toContain(name);
    expect(backends.appends).toHaveLength(0);
  });

  test.each(['drop'])('schema setting %s answers 501', async (name) => {
    const { call } = createTestGateway();
    const answer = await call('POST', '/v2/namespaces/a', { schema: { a: { type: 'string', [name]: true } } });
    expect(answer.status).toBe(501);
    expect(answer.text).toContain(name);
  });

  test.each(['{}f32', '{}i8'])('type %s answers 501', async (type) => {
    const { call } = createTestGateway();
    const answer = await call('POST', '/v2/namespaces/a', { schema: { a: type } });
    expect(answer.status).toBe(501);
  });

  test.each(['', 'x'.repeat(257)])('an idempotency key of a wrong length is 400', async (key) => {
    const { call } = createTestGateway();
    expect((await call('POST', '/v2/namespaces/a', rows({ id: 1 }), { 'idempotency-key': key })).status).toBe(400);
  });
});
