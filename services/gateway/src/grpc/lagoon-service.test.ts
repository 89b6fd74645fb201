import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { openBlock, valueAt } from '@lagoon/format';
import { WriteRequestSchema } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import { ListNamespacesRequestSchema, UpdateSchemaRequestSchema } from '@lagoon/proto/lagoon/v1/namespace_pb.js';
import { QueryRequestSchema, type ScoreExpressionSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { createTestGateway } from '../testing/recording-backends.ts';

const f32 = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const context = { signal: new AbortController().signal };

function service() {
  const { role, backends } = createTestGateway();
  return {
    backends,
    write: (request: MessageInitShape<typeof WriteRequestSchema>) =>
      role.lagoonService.write(create(WriteRequestSchema, request), context),
    list: (request: MessageInitShape<typeof ListNamespacesRequestSchema>) =>
      role.lagoonService.listNamespaces(create(ListNamespacesRequestSchema, request), context),
    query: (request: MessageInitShape<typeof QueryRequestSchema>) =>
      role.lagoonService.query(create(QueryRequestSchema, request), context),
    updateSchema: (request: MessageInitShape<typeof UpdateSchemaRequestSchema>) =>
      role.lagoonService.updateSchema(create(UpdateSchemaRequestSchema, request), context),
  };
}

type DocumentInit = NonNullable<MessageInitShape<typeof WriteRequestSchema>['upserts']>[number];

const vector = (...values: number[]) => ({
  kind: { case: 'vectorValue' as const, value: { encoding: { case: 'f32' as const, value: f32(...values) } } },
});

const packed = (encoding: { readonly case: 'f16' | 'i8'; readonly value: Uint8Array }) => ({
  kind: { case: 'vectorValue' as const, value: { encoding } },
});

describe('the public gRPC service', () => {
  test('documents become one block of typed columns', async () => {
    const { write, backends } = service();
    const uuid = Uint8Array.from({ length: 16 }, (_, index) => index);
    const answer = await write({
      namespace: 'a',
      upserts: [
        {
          id: { kind: { case: 'u64', value: 2n } },
          attributes: [
            { name: 'vector', value: vector(1, 2) },
            { name: 's', value: { kind: { case: 'stringValue', value: 'x' } } },
            { name: 'u', value: { kind: { case: 'uuidValue', value: uuid } } },
            { name: 'd', value: { kind: { case: 'datetimeValue', value: 5n } } },
            { name: 'y', value: { kind: { case: 'bytesValue', value: Uint8Array.of(1) } } },
            { name: 'h', value: { kind: { case: 'uintValue', value: 1n } } },
            { name: 'm', value: { kind: { case: 'intValue', value: 3n } } },
            {
              name: 'a',
              value: {
                kind: { case: 'arrayValue', value: { values: [{ kind: { case: 'boolValue', value: true } }] } },
              },
            },
          ],
        },
        {
          id: { kind: { case: 'u64', value: 1n } },
          attributes: [
            { name: 'm', value: { kind: { case: 'floatValue', value: 0.5 } } },
            { name: 's', value: {} },
          ],
        },
      ],
      deletes: [{ kind: { case: 'u64', value: 9n } }],
      idempotencyKey: 'k',
    });
    expect(answer).toMatchObject({ manifestGeneration: 7n, rowsUpserted: 2n, rowsDeleted: 1n });
    const append = backends.appends[0];
    expect(append).toMatchObject({ namespace: 'a', idempotencyKey: 'k' });
    const block = openBlock(append?.block ?? new Uint8Array(0));
    const types = Object.fromEntries([...block.columns.values()].map(({ name, type }) => [name, type]));
    const scalar = (name: string) => ({ kind: 'scalar', scalar: name });
    expect(types).toEqual({
      vector: { kind: 'vector', element: 'f32', dims: 2 },
      s: scalar('string'),
      u: scalar('uuid'),
      d: scalar('datetime'),
      y: scalar('bytes'),
      h: scalar('uint'),
      m: scalar('float'),
      a: { kind: 'array', scalar: 'bool' },
    });
    const m = block.columns.get('m')?.column;
    expect(m === undefined ? [] : [valueAt(m, 0), valueAt(m, 1)]).toEqual([0.5, 3]);
  });

  test('vectors of any element become f32 in the block, whatever is mixed', async () => {
    const { write, backends } = service();
    const encodings = [
      { case: 'f32' as const, value: f32(0.1, -1) },
      { case: 'f16' as const, value: new Uint8Array(Float16Array.of(0.1, -65_504).buffer) },
      { case: 'i8' as const, value: Uint8Array.of(128, 127) },
    ];
    const upserts = encodings.map((encoding, i) => ({
      id: { kind: { case: 'u64' as const, value: BigInt(i) } },
      attributes: [{ name: 'v', value: { kind: { case: 'vectorValue' as const, value: { encoding } } } }],
    }));
    await write({ namespace: 'a', upserts });
    const block = openBlock(backends.appends[0]?.block ?? new Uint8Array(0));
    const named = block.columns.get('v');
    expect(named?.type).toEqual({ kind: 'vector', element: 'f32', dims: 2 });
    expect([0, 1, 2].map((i) => named && valueAt(named.column, i))).toEqual([
      Float32Array.of(0.1, -1),
      Float32Array.of(Math.f16round(0.1), -65_504),
      Float32Array.of(-128, 127),
    ]);
  });

  const row = (id: DocumentInit['id'], ...attributes: NonNullable<DocumentInit['attributes']>): DocumentInit => ({
    ...(id === undefined ? {} : { id }),
    attributes,
  });
  const u64 = (value: bigint) => ({ kind: { case: 'u64' as const, value } });
  const text = (value: string) => ({ kind: { case: 'text' as const, value } });
  const int = { kind: { case: 'intValue' as const, value: 1n } };
  const string = { kind: { case: 'stringValue' as const, value: 'x' } };

  test.each<[string, MessageInitShape<typeof WriteRequestSchema>, RegExp]>([
    ['a bad namespace', { namespace: 'a/b' }, /namespace name/],
    ['nothing to do', { namespace: 'a' }, /nothing to do/],
    ['a row without id', { namespace: 'a', upserts: [row(undefined)] }, /upserts\[0\].id: there is no id/],
    ['mixed ids', { namespace: 'a', upserts: [row(u64(1n)), row(text('x'))] }, /upserts\[1\].id: ids of several kinds/],
    ['an id of 65 bytes', { namespace: 'a', upserts: [row(text('x'.repeat(65)))] }, /id/],
    ['a short uuid', { namespace: 'a', deletes: [{ kind: { case: 'uuid', value: f32(1) } }] }, /16 bytes/],
    ['one id twice', { namespace: 'a', upserts: [row(u64(1n)), row(u64(1n))] }, /twice/],
    [
      'mixed types',
      {
        namespace: 'a',
        upserts: [row(u64(1n), { name: 'a', value: int }), row(u64(2n), { name: 'a', value: string })],
      },
      /upserts\[1\].a: values of several types/,
    ],
    [
      'an attribute twice',
      { namespace: 'a', upserts: [row(u64(1n), { name: 'a', value: int }, { name: 'a', value: int })] },
      /there twice/,
    ],
    [
      'half an f16',
      {
        namespace: 'a',
        upserts: [row(u64(1n), { name: 'v', value: packed({ case: 'f16', value: Uint8Array.of(1, 2, 3) }) })],
      },
      /upserts\[0\].v: the vector is not a whole number of 2-byte values \(bytes=3\)/,
    ],
    [
      'an f16 that is no number',
      {
        namespace: 'a',
        upserts: [row(u64(1n), { name: 'v', value: packed({ case: 'f16', value: Uint8Array.of(0, 0, 0, 0x7c) }) })],
      },
      /upserts\[0\].v\[1\]: not a finite/,
    ],
    [
      'a NaN vector',
      { namespace: 'a', upserts: [row(u64(1n), { name: 'v', value: vector(Number.NaN) })] },
      /upserts\[0\].v\[0\]: not a finite/,
    ],
    [
      'another dimension',
      {
        namespace: 'a',
        upserts: [row(u64(1n), { name: 'v', value: vector(1) }), row(u64(2n), { name: 'v', value: vector(1, 2) })],
      },
      /wrong number of dimensions/,
    ],
    ['an unknown metric', { namespace: 'a', deletes: [u64(1n)], distanceMetric: 'x' }, /distance_metric/],
    [
      'an unknown type',
      { namespace: 'a', schema: { attributes: [{ name: 'a', type: 'strng' }] } },
      /unknown attribute type/,
    ],
    ['a key of 257 bytes', { namespace: 'a', deletes: [u64(1n)], idempotencyKey: 'k'.repeat(257) }, /idempotency key/],
  ])('write: %s is refused', async (_name, request, message) => {
    const { write, backends } = service();
    await expect(write(request)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(message),
    });
    expect(backends.appends).toHaveLength(0);
  });

  const deep = (depth: number): MessageInitShape<typeof QueryRequestSchema>['filter'] =>
    depth === 0
      ? { kind: { case: 'comparison', value: { attribute: 'a', operator: 1, values: [{}] } } }
      : { kind: { case: 'not', value: deep(depth - 1) ?? {} } };
  const order = { kind: { case: 'orderBy' as const, value: { keys: [{ attribute: 'id' }] } } };
  type ScoreInit = MessageInitShape<typeof ScoreExpressionSchema>;
  const deepScore = (depth: number): ScoreInit =>
    depth === 0
      ? { kind: { case: 'attribute', value: 'n' } }
      : { kind: { case: 'product', value: { factor: 2, part: deepScore(depth - 1) } } };
  const scored = (value: ScoreInit): MessageInitShape<typeof QueryRequestSchema> => ({
    ...{ namespace: 'a', limit: 1 },
    rankBy: { kind: { case: 'score', value } },
  });

  test.each<[string, MessageInitShape<typeof QueryRequestSchema>, RegExp]>([
    ['no rank_by', { namespace: 'a', limit: 1 }, /^rank_by: expected a ranking, found nothing/],
    ['limit 0', { namespace: 'a', rankBy: order }, /^limit: out of range/],
    ['limit 10,001', { namespace: 'a', rankBy: order, limit: 10_001 }, /^limit: out of range/],
    [
      'an infinite vector',
      {
        namespace: 'a',
        limit: 1,
        rankBy: { kind: { case: 'vector', value: { attribute: 'v', query: f32(Infinity) } } },
      },
      /not a finite f32/,
    ],
    [
      'an empty vector',
      { namespace: 'a', limit: 1, rankBy: { kind: { case: 'vector', value: { attribute: 'v' } } } },
      /empty/,
    ],
    ['an empty filter', { namespace: 'a', limit: 1, rankBy: order, filter: {} }, /filter is empty/],
    [
      'an empty score',
      scored({ kind: { case: 'sum', value: { parts: [{}] } } }),
      /score\.sum\[0\]: the expression is empty/,
    ],
    ['a deep score', scored(deepScore(16)), /too deep/],
    ['a long text', scored({ kind: { case: 'text', value: { query: 'x'.repeat(20_000) } } }), /query text is too long/],
    [
      'a sparse query with more dimensions than weights',
      { namespace: 'a', limit: 1, rankBy: { kind: { case: 'sparse', value: { query: { dimensions: [1] } } } } },
      /each dimension has one weight/,
    ],
    [
      'a computed attribute of nothing',
      { namespace: 'a', limit: 1, rankBy: order, compute: [{ name: 'x' }] },
      /says nothing/,
    ],
    ['a deep filter', { namespace: 'a', limit: 1, rankBy: order, filter: deep(64) ?? {} }, /too deep/],
    ['no keys', { namespace: 'a', limit: 1, rankBy: { kind: { case: 'orderBy', value: {} } } }, /order by/],
  ])('query: %s is refused', async (_name, request, message) => {
    const { query, backends } = service();
    await expect(query(request)).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(message),
    });
    expect(backends.queries).toHaveLength(0);
  });

  test('a valid query is handed on as it is', async () => {
    const { query, backends } = service();
    await query({ namespace: 'a', limit: 5, rankBy: order, filter: deep(3) ?? {} });
    expect(backends.queries[0]).toMatchObject({ namespace: 'a', limit: 5 });
  });

  test('a schema gets the defaults of the dialect', async () => {
    const { updateSchema, backends } = service();
    await updateSchema({
      namespace: 'a',
      schema: { idType: 'u64', attributes: [{ name: 't', type: 'string', fullTextSearch: { stemming: true } }] },
    });
    expect(backends.schemaUpdates[0]?.schema).toMatchObject({
      idType: 'u64',
      attributes: [
        { name: 't', fullTextSearch: { tokenizer: 'word_v4', stemming: true, maxTokenLength: 39, k1: 1.2, b: 0.75 } },
      ],
    });
  });

  test('a page larger than the bound is refused as over HTTP, not cut', async () => {
    const { list } = service();
    await expect(list({ pageSize: 1_001 })).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(list({ prefix: 'x'.repeat(1_025) })).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(list({ pageSize: 1_000 })).resolves.toBeDefined();
  });
});
