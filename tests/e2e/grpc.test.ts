import type { MessageInitShape } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { WriteRequestSchema } from '@lagoon/proto/lagoon/v1/lagoon_pb.js';
import {
  AggregateFunction,
  ComparisonOperator,
  Consistency_Level,
  PatternOperator,
  type QueryRequestSchema,
  TokenOperator,
} from '@lagoon/proto/lagoon/v1/query_pb.js';
import { checkHealth, createLagoonClient } from '../support/grpc-client.ts';
import { send } from '../support/http.ts';
import { field, stateOf } from '../support/namespace-state.ts';
import { type ProcessTarget, startFourOnS3, startOnDirectory } from '../support/process-target.ts';

type WriteInit = MessageInitShape<typeof WriteRequestSchema>;
type FilterInit = NonNullable<MessageInitShape<typeof QueryRequestSchema>['filter']>;
type DocumentInit = NonNullable<WriteInit['upserts']>[number];

const options = { timeoutMs: 20_000 };
const f32 = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const u64 = (value: bigint) => ({ kind: { case: 'u64' as const, value } });
const text = (value: string) => ({ kind: { case: 'stringValue' as const, value } });
const vector = (bytes: Uint8Array) => ({
  kind: { case: 'vectorValue' as const, value: { encoding: { case: 'f32' as const, value: bytes } } },
});
const document = (id: bigint, x: number, y: number, color: string): DocumentInit => ({
  id: u64(id),
  attributes: [
    { name: 'vector', value: vector(f32(x, y)) },
    { name: 'color', value: text(color) },
  ],
});
const nearest = { kind: { case: 'vector' as const, value: { attribute: 'vector', query: f32(1, 0), exact: true } } };
const byId = { kind: { case: 'orderBy' as const, value: { keys: [{ attribute: 'id', descending: false }] } } };
const everything = { kind: { case: 'all' as const, value: true } };
const u64Max = 18_446_744_073_709_551_615n;

const deployments: readonly (readonly [string, () => Promise<ProcessTarget>])[] = [
  ['one process', () => startOnDirectory()],
  ['a process per role', () => startFourOnS3()],
];

describe.each(deployments)('public gRPC, %s', (_name, start) => {
  let target: ProcessTarget;
  let remote: ReturnType<typeof createLagoonClient>;
  const namespace = 'films';

  beforeAll(async () => {
    target = await start();
    remote = createLagoonClient(target.grpcAddress);
  });

  afterAll(async () => {
    remote?.close();
    await target?.close();
  });

  const idsOf = (rows: readonly { readonly id?: { readonly kind: { readonly value?: unknown } } | undefined }[]) =>
    rows.map((row) => row.id?.kind.value);

  test('filters of every kind, and what is wrong with one', async () => {
    const { client } = remote;
    const strings = (...values: string[]) => ({
      kind: { case: 'arrayValue' as const, value: { values: values.map(text) } },
    });
    const row = (id: bigint, title: string, ...tags: string[]): DocumentInit => ({
      id: u64(id),
      attributes: [
        { name: 'title', value: text(title) },
        { name: 'tags', value: strings(...tags) },
      ],
    });
    const flags = { filterable: true, regex: true, fuzzy: true, fullTextSearch: {} };
    const schema = { attributes: [{ name: 'title', type: 'string', ...flags }] };
    const upserts = [row(1n, 'deep sea', 'a', 'b'), row(2n, 'Deep see diver', 'b'), row(3n, 'shallow')];
    await client.write({ namespace: 'matched', upserts, schema }, options);
    const find = async (kind: NonNullable<FilterInit['kind']>) =>
      idsOf((await client.query({ namespace: 'matched', rankBy: byId, filter: { kind }, limit: 10 }, options)).rows);
    const pattern = (operator: PatternOperator, one: string) =>
      find({ case: 'pattern', value: { attribute: 'title', operator, pattern: one } });
    const compared = (operator: ComparisonOperator, ...values: string[]) =>
      find({ case: 'comparison', value: { attribute: 'tags', operator, values: values.map(text) } });
    const tokens = (operator: TokenOperator, lastAsPrefix: boolean, ...texts: string[]) =>
      find({ case: 'tokens', value: { attribute: 'title', operator, texts, lastAsPrefix } });
    const fuzzy = (query: string, more: { readonly caseSensitive?: boolean }) => {
      const maxEditDistance = [{ minQueryChars: 6, distance: 1 }];
      return find({ case: 'fuzzy', value: { attribute: 'title', query, maxEditDistance, ...more } });
    };
    expect(await pattern(PatternOperator.GLOB, 'deep*')).toEqual([1n]);
    expect(await pattern(PatternOperator.I_GLOB, 'deep*')).toEqual([1n, 2n]);
    expect(await pattern(PatternOperator.NOT_GLOB, '*e*')).toEqual([3n]);
    expect(await pattern(PatternOperator.NOT_I_GLOB, 'D*')).toEqual([3n]);
    expect(await pattern(PatternOperator.REGEX, '^[a-z ]+$')).toEqual([1n, 3n]);
    expect(await compared(ComparisonOperator.CONTAINS, 'a')).toEqual([1n]);
    expect(await compared(ComparisonOperator.NOT_CONTAINS, 'a')).toEqual([2n, 3n]);
    expect(await compared(ComparisonOperator.CONTAINS_ANY, 'a', 'b')).toEqual([1n, 2n]);
    expect(await compared(ComparisonOperator.NOT_CONTAINS_ANY, 'a', 'b')).toEqual([3n]);
    expect(await compared(ComparisonOperator.ANY_LT, 'b')).toEqual([1n]);
    expect(await compared(ComparisonOperator.ANY_LTE, 'a')).toEqual([1n]);
    expect(await compared(ComparisonOperator.ANY_GT, 'a')).toEqual([1n, 2n]);
    expect(await compared(ComparisonOperator.ANY_GTE, 'c')).toEqual([]);
    expect(await fuzzy('deep sex', {})).toEqual([1n]);
    expect(await fuzzy('DEEP SEX', { caseSensitive: false })).toEqual([1n, 2n]);
    expect(await tokens(TokenOperator.ALL, false, 'sea deep')).toEqual([1n]);
    expect(await tokens(TokenOperator.ANY, false, 'sea', 'diver')).toEqual([1n, 2n]);
    expect(await tokens(TokenOperator.SEQUENCE, true, 'deep se')).toEqual([1n, 2n]);

    const wrong = { code: 'invalid_argument' };
    await expect(pattern(PatternOperator.REGEX, '(a')).rejects.toMatchObject(wrong);
    await expect(pattern(PatternOperator.UNSPECIFIED, 'a')).rejects.toMatchObject(wrong);
    await expect(compared(ComparisonOperator.CONTAINS)).rejects.toMatchObject(wrong);
    await expect(compared(99 as ComparisonOperator, 'a')).rejects.toMatchObject(wrong);
    await expect(tokens(TokenOperator.UNSPECIFIED, false, 'a')).rejects.toMatchObject(wrong);
    await expect(find({ case: undefined })).rejects.toMatchObject(wrong);
    const steps = [{ minQueryChars: 8, distance: 2 }];
    const bad = find({ case: 'fuzzy', value: { attribute: 'title', query: 'abc', maxEditDistance: steps } });
    await expect(bad).rejects.toMatchObject({
      ...wrong,
      message: expect.stringContaining('filters[3].max_edit_distance[0].min_query_chars: expected at least'),
    });
    await client.deleteNamespace({ namespace: 'matched' }, options);
  });

  test('several queries of one instant, numbers, and a fused list', async () => {
    const { client } = remote;
    const upserts = [document(1n, 1, 0, 'red'), document(2n, 0, 1, 'blue'), document(3n, -1, 0, 'red')];
    await client.write({ namespace: 'several', upserts, distanceMetric: 'cosine_distance' }, options);
    const count = { label: 'n', function: AggregateFunction.COUNT };
    const queries = [
      { rankBy: nearest, limit: 2 },
      { aggregation: { aggregates: [count], groupBy: [{ label: 'color', attribute: 'color' }] }, limit: 10 },
    ];
    const { results, manifestGeneration } = await client.multiQuery({ namespace: 'several', queries }, options);
    expect(manifestGeneration).toBe(1n);
    expect(results.map(({ rows }) => idsOf(rows))).toEqual([[1n, 2n], []]);
    const numberOf = (
      values: readonly { readonly value?: { readonly kind: { readonly value?: unknown } } | undefined }[],
    ) => values.map(({ value }) => value?.kind.value);
    expect(results[1]?.groups.map(({ keys, values }) => [...numberOf(keys), ...numberOf(values)])).toEqual([
      ['blue', 1n],
      ['red', 2n],
    ]);
    const fusion = { kind: { case: 'reciprocalRank' as const, value: {} }, limit: 2 };
    const fused = await client.multiQuery(
      {
        namespace: 'several',
        queries: [
          { rankBy: nearest, limit: 3 },
          { rankBy: byId, limit: 3 },
        ],
        fusion,
      },
      options,
    );
    expect(fused.results.map(({ rows }) => idsOf(rows))).toEqual([[1n, 2n]]);
    await expect(client.multiQuery({ namespace: 'several', queries: [], fusion }, options)).rejects.toThrow(
      'too few or too many queries (found=0, max=16)',
    );
    await client.deleteNamespace({ namespace: 'several' }, options);
  });

  test('vectors of f16 and i8 are written in any form, told as they are stored, and compared', async () => {
    const { client } = remote;
    const packed = (encoding: { readonly case: 'f16' | 'i8'; readonly value: Uint8Array }) => ({
      kind: { case: 'vectorValue' as const, value: { encoding } },
    });
    const halves = (...values: number[]) => new Uint8Array(Float16Array.from(values).buffer);
    const bytes = (...values: number[]) => new Uint8Array(Int8Array.from(values).buffer);
    const row = (id: bigint, ...values: NonNullable<NonNullable<DocumentInit['attributes']>[number]['value']>[]) => ({
      id: u64(id),
      attributes: values.map((value, i) => ({ name: i === 0 ? 'half' : 'byte', value })),
    });
    const upserts = [
      row(1n, vector(f32(0.1, 1)), vector(f32(-128, 127))),
      row(2n, packed({ case: 'f16', value: halves(3, 4) }), packed({ case: 'i8', value: bytes(1, -1) })),
    ];
    const schema = {
      attributes: [
        { name: 'half', type: '[2]f16', ann: { distanceMetric: 'euclidean_squared' } },
        { name: 'byte', type: '[2]i8', ann: { distanceMetric: 'dot_product' } },
      ],
    };
    await client.write({ namespace: 'elements', upserts, schema }, options);
    const ranked = async (attribute: string, query: Uint8Array) =>
      await client.query(
        {
          ...{ namespace: 'elements', limit: 10, projection: everything },
          rankBy: { kind: { case: 'vector', value: { attribute, query, exact: true } } },
        },
        options,
      );
    const byHalf = await ranked('half', f32(3, 4.5));
    expect(byHalf.rows.map(({ dist }) => dist)).toEqual([0.25, expect.closeTo(20.66, 1)]);
    expect(byHalf.rows[0]?.attributes).toMatchObject([
      { name: 'half', value: packed({ case: 'f16', value: halves(3, 4) }) },
      { name: 'byte', value: packed({ case: 'i8', value: bytes(1, -1) }) },
    ]);
    expect((await ranked('byte', f32(2, 1))).rows.map(({ id, dist }) => [id?.kind.value, dist])).toEqual([
      [2n, -1],
      [1n, 129],
    ]);
    const wrong = { code: 'invalid_argument', message: expect.stringContaining('not an integer from -128 to 127') };
    await expect(ranked('byte', f32(0.5, 1))).rejects.toMatchObject(wrong);
    const bad = client.write({ namespace: 'elements', upserts: [row(3n, vector(f32(0, 1e5)))] }, options);
    await expect(bad).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('dimension=1'),
    });
    await client.deleteNamespace({ namespace: 'elements' }, options);
  });

  test('write, query, metadata, schema, list and delete', async () => {
    const { client } = remote;
    const upserts = [document(1n, 1, 0, 'red'), document(u64Max, 0, 1, 'blue'), document(3n, -1, 0, 'red')];
    const distanceMetric = 'cosine_distance';
    const written = await client.write({ namespace, upserts, distanceMetric }, options);
    expect(written).toMatchObject({ rowsUpserted: 3n, rowsDeleted: 0n });
    const found = await client.query({ namespace, rankBy: nearest, limit: 10, projection: everything }, options);
    expect(idsOf(found.rows)).toEqual([1n, u64Max, 3n]);
    expect(found.rows.map((row) => row.dist)).toEqual([0, 1, 2]);
    expect(found.rows[1]?.attributes).toMatchObject([
      { name: 'vector', value: vector(f32(0, 1)) },
      { name: 'color', value: text('blue') },
    ]);
    expect(found.manifestGeneration).toBeGreaterThanOrEqual(written.manifestGeneration);

    const comparison = { attribute: 'color', operator: ComparisonOperator.EQ, values: [text('red')] };
    const filter = { kind: { case: 'comparison' as const, value: comparison } };
    const consistency = {
      level: Consistency_Level.EVENTUAL,
      stalenessMsMax: 60_000,
      minManifestGeneration: written.manifestGeneration,
    };
    const red = await client.query({ namespace, rankBy: byId, filter, limit: 10, consistency }, options);
    expect(idsOf(red.rows)).toEqual([1n, 3n]);

    const deleted = await client.write({ namespace, deletes: [u64(3n), u64(77n)] }, options);
    expect(deleted.rowsDeleted).toBeGreaterThanOrEqual(1n);
    const attributes = [{ name: 'plot', type: 'string', fullTextSearch: {} }];
    const updated = await client.updateSchema({ namespace, schema: { attributes } }, options);
    expect(updated.schema?.attributes.map(({ name }) => name).sort()).toEqual(['color', 'plot', 'vector']);
    const metadata = await client.getMetadata({ namespace }, options);
    expect(metadata.schema).toMatchObject({ idType: 'u64' });
    expect(metadata.createdAtMs).toBeGreaterThan(1_700_000_000_000n);
    expect((await client.listNamespaces({ prefix: 'fil' }, options)).names).toEqual([namespace]);

    // The same over HTTP.
    const overHttp = await stateOf(target.url, namespace);
    expect(overHttp).toMatchObject({ status: 200, rows: [{ id: 1, color: 'red' }, { color: 'blue' }] });

    const set = await client.updateSettings({ namespace, readOnly: true, recall: 0.9, pinnedReplicaCount: 1 }, options);
    expect(set.settings).toMatchObject({ readOnly: true, recall: 0.9, pinnedReplicaCount: 1 });
    expect((await client.getMetadata({ namespace }, options)).settings).toEqual(set.settings);
    await expect(client.deleteNamespace({ namespace }, options)).rejects.toMatchObject({ reason: 'read_only' });
    const more = client.updateSettings({ namespace, pinnedReplicaCount: 2 }, options);
    await expect(more).rejects.toMatchObject({ code: 'unimplemented' });
    await client.updateSettings({ namespace, readOnly: false }, options);

    await client.deleteNamespace({ namespace }, options);
    expect((await client.listNamespaces({ prefix: 'fil' }, options)).names).toEqual([]);
    await expect(client.getMetadata({ namespace }, options)).rejects.toMatchObject({ code: 'not_found' });
  });

  test('one idempotency key has one outcome on both ways in', async () => {
    const { client } = remote;
    const request = { namespace: 'keyed', upserts: [document(1n, 1, 0, 'red')], idempotencyKey: 'k' };
    const first = await client.write(request, options);
    expect((await client.write(request, options)).manifestGeneration).toBe(first.manifestGeneration);
    const other = { ...request, upserts: [document(2n, 1, 0, 'red')] };
    await expect(client.write(other, options)).rejects.toMatchObject({ reason: 'idempotency_mismatch' });
  });

  const bad: readonly (readonly [string, WriteInit, object])[] = [
    ['a bad name', { namespace: 'a/b', upserts: [document(1n, 1, 2, 'x')] }, { code: 'invalid_argument' }],
    ['two dots as name', { namespace: '..', upserts: [document(1n, 1, 2, 'x')] }, { code: 'invalid_argument' }],
    ['no name', { upserts: [document(1n, 1, 2, 'x')] }, { code: 'invalid_argument' }],
    ['nothing to do', { namespace: 'kept' }, { code: 'invalid_argument' }],
    ['no id', { namespace: 'kept', upserts: [{ attributes: [] }] }, { code: 'invalid_argument' }],
    [
      'ids mixed',
      { namespace: 'kept', upserts: [{ id: u64(5n) }, { id: { kind: { case: 'text', value: 'x' } } }] },
      { code: 'invalid_argument' },
    ],
    [
      'ids of another kind',
      { namespace: 'kept', upserts: [{ id: { kind: { case: 'text', value: 'x' } } }] },
      { code: 'invalid_argument' },
    ],
    [
      'an id too long',
      { namespace: 'new', upserts: [{ id: { kind: { case: 'text', value: 'x'.repeat(65) } } }] },
      { code: 'invalid_argument' },
    ],
    [
      'half a uuid',
      { namespace: 'new', upserts: [{ id: { kind: { case: 'uuid', value: new Uint8Array(8) } } }] },
      { code: 'invalid_argument' },
    ],
    [
      'an id twice',
      { namespace: 'kept', upserts: [document(5n, 1, 2, 'x'), document(5n, 1, 2, 'x')] },
      { code: 'invalid_argument' },
    ],
    [
      'a wrong dimension',
      { namespace: 'kept', upserts: [{ id: u64(5n), attributes: [{ name: 'vector', value: vector(f32(1, 2, 3)) }] }] },
      { code: 'invalid_argument' },
    ],
    ['NaN', { namespace: 'kept', upserts: [document(5n, Number.NaN, 2, 'x')] }, { code: 'invalid_argument' }],
    [
      'infinity',
      { namespace: 'kept', upserts: [document(5n, Number.POSITIVE_INFINITY, 2, 'x')] },
      { code: 'invalid_argument' },
    ],
    [
      'half a float',
      {
        namespace: 'kept',
        upserts: [{ id: u64(5n), attributes: [{ name: 'vector', value: vector(new Uint8Array(7)) }] }],
      },
      { code: 'invalid_argument' },
    ],
    [
      'another type',
      {
        namespace: 'kept',
        upserts: [
          { id: u64(5n), attributes: [{ name: 'color', value: { kind: { case: 'boolValue', value: true } } }] },
        ],
      },
      { code: 'invalid_argument' },
    ],
    [
      'an infinite number',
      {
        namespace: 'kept',
        upserts: [
          { id: u64(5n), attributes: [{ name: 'n', value: { kind: { case: 'floatValue', value: Number.NaN } } }] },
        ],
      },
      { code: 'invalid_argument' },
    ],
    [
      'an unknown metric',
      { namespace: 'kept', upserts: [document(5n, 1, 2, 'x')], distanceMetric: 'hamming' },
      { code: 'invalid_argument' },
    ],
    [
      'an unknown type',
      { namespace: 'kept', schema: { attributes: [{ name: 'x', type: 'strin' }] } },
      { code: 'invalid_argument' },
    ],
    [
      'an absent namespace',
      { namespace: 'absent', upserts: [document(5n, 1, 2, 'x')], createNamespace: false },
      { code: 'not_found' },
    ],
  ];

  test('bad writes have the codes that HTTP has as statuses, and change nothing', async () => {
    const { client } = remote;
    await client.write({ namespace: 'kept', upserts: [document(1n, 1, 2, 'red')] }, options);
    const before = await stateOf(target.url, 'kept');
    for (const [title, request, error] of bad) {
      const outcome = await client.write(request, options).then(
        () => 'written',
        (thrown: unknown) => thrown,
      );
      expect({ title, outcome }).toMatchObject({ title, outcome: error });
      expect(await stateOf(target.url, 'kept')).toEqual(before);
    }
    const listed = field(await send(target.url, 'GET', '/v1/namespaces'), 'namespaces');
    expect(listed).toEqual([{ id: 'kept' }, { id: 'keyed' }].sort((a, b) => a.id.localeCompare(b.id)));
  });

  test('bad queries too', async () => {
    const { client } = remote;
    const query = (request: Parameters<typeof client.query>[0]) => client.query(request, options);
    const kept = { namespace: 'kept', limit: 10 };
    const invalid = { code: 'invalid_argument' };
    await expect(query({ ...kept, rankBy: nearest, namespace: 'absent' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(query(kept)).rejects.toMatchObject(invalid);
    await expect(query({ ...kept, rankBy: byId, limit: 0 })).rejects.toMatchObject(invalid);
    await expect(query({ ...kept, rankBy: byId, limit: 10_001 })).rejects.toMatchObject(invalid);
    await expect(query({ ...kept, rankBy: byId, filter: {} })).rejects.toMatchObject(invalid);
    const short = { kind: { case: 'vector' as const, value: { attribute: 'vector', query: f32(1), exact: true } } };
    await expect(query({ ...kept, rankBy: short })).rejects.toMatchObject(invalid);
    const nan = {
      kind: { case: 'vector' as const, value: { attribute: 'vector', query: f32(1, Number.NaN), exact: true } },
    };
    await expect(query({ ...kept, rankBy: nan })).rejects.toMatchObject(invalid);
    await expect(client.deleteNamespace({ namespace: 'absent' }, options)).rejects.toMatchObject({ code: 'not_found' });
    await expect(client.getMetadata({ namespace: '..' }, options)).rejects.toMatchObject(invalid);
    await expect(client.listNamespaces({ pageSize: 1_001 }, options)).rejects.toMatchObject(invalid);
  });

  test('a deadline that passes is deadline_exceeded, an abort is cancelled', async () => {
    const { client } = remote;
    const request = { namespace: 'kept', rankBy: nearest, limit: 10 };
    await expect(client.query(request, { timeoutMs: 20_000, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'cancelled',
    });
    const writes = Array.from({ length: 20 }, () =>
      client.write({ namespace: 'kept', upserts: [document(9n, 1, 2, 'x')] }, { timeoutMs: 1 }).then(
        () => 'written',
        (error: { readonly code?: string }) => error.code,
      ),
    );
    for (const outcome of await Promise.all(writes)) expect(['deadline_exceeded', 'written']).toContain(outcome);
  });

  test('the health service knows the server and its services', async () => {
    for (const service of ['', 'lagoon.v1.LagoonService']) {
      expect(await checkHealth(target.grpcAddress, service)).toBe(1);
    }
    await expect(checkHealth(target.grpcAddress, 'lagoon.v1.NoSuchService')).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});
