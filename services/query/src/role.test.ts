import { create } from '@bufbuild/protobuf';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createSeededRandom, createSystemClock, noMetrics, silentLog } from '@lagoon/base';
import { encodeBlock, fullTextSearchDefaults, type Schema } from '@lagoon/format';
import { createNamespaceLog } from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { GetMetadataRequestSchema, ListNamespacesRequestSchema } from '@lagoon/proto/lagoon/v1/namespace_pb.js';
import { ComparisonOperator, QueryRequestSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { createQueryLimiter } from './query-limiter.ts';
import { createQueryRole, type QueryRole } from './role.ts';

const schema: Schema = {
  idKind: 'u64',
  attributes: new Map([
    ['text', { type: { kind: 'scalar', scalar: 'string' }, filterable: true, fullTextSearch: fullTextSearchDefaults }],
    [
      'v',
      { type: { kind: 'vector', element: 'f32', dims: 2 }, filterable: false, ann: { distanceMetric: 'dot_product' } },
    ],
    ['when', { type: { kind: 'scalar', scalar: 'datetime' }, filterable: true }],
  ]),
};

const roles: QueryRole[] = [];
afterEach(async () => {
  await Promise.all(roles.splice(0).map((role) => role.close()));
});

function createRole(store: ObjectStore, config: Parameters<typeof createQueryRole>[1] = {}) {
  const deps = { clock: createSystemClock(), random: createSeededRandom(1), log: silentLog, metrics: noMetrics };
  const role = createQueryRole({ ...deps, store }, { workerCount: 0, arenaBytesMax: 8 << 20, ...config });
  roles.push(role);
  return role;
}

async function createNamespace(store: ObjectStore, name: string) {
  const deps = { store, clock: createSystemClock(), random: createSeededRandom(2), log: silentLog, metrics: noMetrics };
  const log = createNamespaceLog(deps);
  const part = encodeBlock({
    idKind: 'u64',
    ids: [2n ** 60n, 1n],
    deletes: [],
    columns: [
      { name: 'text', type: { kind: 'scalar', scalar: 'string' }, values: ['deep blue sea', 'sea'] },
      { name: 'v', type: { kind: 'vector', element: 'f32', dims: 2 }, values: Float32Array.of(1, 2, 3, 4) },
      { name: 'when', type: { kind: 'scalar', scalar: 'datetime' }, values: [5n, null] },
    ],
  });
  const batch = { parts: [part], upsertedRowCount: 2, deletedRowCount: 0, schema, idempotency: [] };
  const { view } = await log.open(name);
  await log.append(view, () => ({ kind: 'birth', incarnation: `i${name}`, family: `f${name}`, batch }));
}

const context = () => ({ signal: new AbortController().signal });
const vectorQuery = {
  namespace: 'docs',
  rankBy: {
    kind: {
      case: 'vector' as const,
      value: { attribute: 'v', query: new Uint8Array(Float32Array.of(1, 1).buffer), exact: true },
    },
  },
  limit: 10,
};

describe('the query node', () => {
  test('answers a vector query with ids, distances and typed attributes', async () => {
    const store = createMemoryStore({ clock: createSystemClock() });
    await createNamespace(store, 'docs');
    const { service } = createRole(store);
    const request = create(QueryRequestSchema, { ...vectorQuery, projection: { kind: { case: 'all', value: true } } });
    const response = await service.query(request, context());
    expect(response).toMatchObject({
      manifestGeneration: 1n,
      rows: [
        {
          id: { kind: { case: 'u64', value: 1n } },
          dist: -7,
          attributes: [
            { name: 'text', value: { kind: { case: 'stringValue', value: 'sea' } } },
            {
              name: 'v',
              value: {
                kind: {
                  case: 'vectorValue',
                  value: { encoding: { case: 'f32', value: new Uint8Array(Float32Array.of(3, 4).buffer) } },
                },
              },
            },
            { name: 'when', value: {} },
          ],
        },
        {
          id: { kind: { case: 'u64', value: 2n ** 60n } },
          dist: -3,
          attributes: [{}, {}, { name: 'when', value: { kind: { case: 'datetimeValue', value: 5n } } }],
        },
      ],
      statistics: { exact: true, scoredRowCount: 2n, rowCount: 2n },
    });
  });

  test('answers text and order, with filters', async () => {
    const store = createMemoryStore({ clock: createSystemClock() });
    await createNamespace(store, 'docs');
    const { service } = createRole(store);
    const filter = {
      kind: {
        case: 'comparison' as const,
        value: {
          attribute: 'when',
          operator: ComparisonOperator.GTE,
          values: [{ kind: { case: 'stringValue' as const, value: '1970-01-01' } }],
        },
      },
    };
    const text = { kind: { case: 'text' as const, value: { attribute: 'text', query: 'sea' } } };
    const orderBy = { kind: { case: 'orderBy' as const, value: { keys: [{ attribute: 'when', descending: true }] } } };
    const idsOf = async (rankBy: typeof text | typeof orderBy, filters: object) => {
      const request = create(QueryRequestSchema, { namespace: 'docs', rankBy, limit: 5, ...filters });
      const { rows } = await service.query(request, context());
      return rows?.map(({ id }) => id?.kind?.value);
    };
    expect(await idsOf(text, {})).toEqual([1n, 2n ** 60n]);
    expect(await idsOf(text, { filter })).toEqual([2n ** 60n]);
    expect(await idsOf(orderBy, {})).toEqual([2n ** 60n, 1n]);
  });

  test('refuses what says nothing, and bad and absent namespaces', async () => {
    const store = createMemoryStore({ clock: createSystemClock() });
    await createNamespace(store, 'docs');
    const { service } = createRole(store);
    const refused = (query: object) =>
      service.query(create(QueryRequestSchema, { ...vectorQuery, ...query }), context());
    await expect(refused({ namespace: '../etc' })).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(refused({ namespace: 'absent' })).rejects.toMatchObject({ code: 'not_found' });
    await expect(refused({ rankBy: undefined })).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(refused({ filter: {} })).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(refused({ limit: 0 })).rejects.toMatchObject({ code: 'invalid_argument' });
    const metadata = create(GetMetadataRequestSchema, { namespace: 'absent' });
    await expect(service.getMetadata(metadata, context())).rejects.toMatchObject({ code: 'not_found' });
  });

  test('tells metadata, and lists namespaces page by page', async () => {
    const store = createMemoryStore({ clock: createSystemClock() });
    const { service } = createRole(store);
    for (const name of ['a1', 'a2', 'b']) await createNamespace(store, name);
    expect(await service.getMetadata(create(GetMetadataRequestSchema, { namespace: 'b' }), context())).toMatchObject({
      manifestGeneration: 1n,
      approxRowCount: 0n,
      unindexedRowCount: 2n,
      schema: { idType: 'u64', attributes: [{ name: 'text' }, { name: 'v', type: '[2]f32' }, { name: 'when' }] },
    });
    const list = (cursor: string) =>
      service.listNamespaces(create(ListNamespacesRequestSchema, { prefix: 'a', cursor, pageSize: 1 }), context());
    expect(await list('')).toEqual({ names: ['a1'], nextCursor: 'a1' });
    expect(await list('a1')).toEqual({ names: ['a2'], nextCursor: '' });
  });

  test('takes nothing more once it is closed', async () => {
    const { service, close } = createRole(createMemoryStore({ clock: createSystemClock() }));
    await close();
    const request = create(QueryRequestSchema, vectorQuery);
    await expect(service.query(request, context())).rejects.toMatchObject({ code: 'unavailable' });
  });
});

test('queries of one namespace past the bounds are refused, those of another are not', async () => {
  const limiter = createQueryLimiter(createSystemClock(), { runningCountMax: 1, waitingCountMax: 1, waitMsMax: 5 });
  const { signal } = context();
  const gate = Promise.withResolvers<void>();
  const running = limiter.run('a', () => gate.promise, signal);
  const waiting = limiter.run('a', async () => {}, signal);
  await expect(limiter.run('a', async () => {}, signal)).rejects.toMatchObject({ code: 'resource_exhausted' });
  await expect(waiting).rejects.toMatchObject({ code: 'resource_exhausted', reason: 'backpressure' });
  expect(await limiter.run('b', async () => 7, signal)).toBe(7);
  gate.resolve();
  await running;
  expect(await limiter.run('a', async () => 8, signal)).toBe(8);
});
