import { describe, expect, test } from '@jest/globals';
import { LagoonError } from '@lagoon/base';
import { createTestGateway } from '../testing/recording-backends.ts';

const uuidBytes = Uint8Array.from({ length: 16 }, (_, index) => index);
const f32 = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

describe('endpoints', () => {
  test('a write answers in the form of the dialect', async () => {
    const { call } = createTestGateway();
    const answer = await call('POST', '/v2/namespaces/a?stainless_overload=write', { upsert_rows: [{ id: 1 }] });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      status: 'OK',
      message: 'upserted 2 rows, deleted 1 row',
      rows_affected: 3,
      rows_upserted: 2,
      rows_deleted: 1,
      billing: { billable_logical_bytes_written: 100 },
      performance: { server_total_ms: expect.any(Number) },
      manifest_generation: 7,
    });
  });

  test('a query answers rows with values of every type, without loss', async () => {
    const { call, backends } = createTestGateway();
    backends.queryResponse = {
      rows: [
        {
          id: { kind: { case: 'u64', value: 18446744073709551615n } },
          dist: Math.fround(0.7),
          attributes: [
            { name: 's', value: { kind: { case: 'stringValue', value: 'ü' } } },
            { name: 'i', value: { kind: { case: 'intValue', value: -9223372036854775808n } } },
            { name: 'u', value: { kind: { case: 'uintValue', value: 5n } } },
            { name: 'f', value: { kind: { case: 'floatValue', value: 0.1 } } },
            { name: 'b', value: { kind: { case: 'boolValue', value: false } } },
            { name: 'y', value: { kind: { case: 'bytesValue', value: Uint8Array.of(1, 2, 255) } } },
            { name: 'w', value: { kind: { case: 'uuidValue', value: uuidBytes } } },
            { name: 'd', value: { kind: { case: 'datetimeValue', value: 1_700_000_000_000n } } },
            { name: 'n', value: {} },
            {
              name: 'a',
              value: { kind: { case: 'arrayValue', value: { values: [{ kind: { case: 'intValue', value: 1n } }] } } },
            },
            { name: '__proto__', value: { kind: { case: 'intValue', value: 1n } } },
            {
              name: 'vector',
              value: { kind: { case: 'vectorValue', value: { encoding: { case: 'f32', value: f32(0.7, -1) } } } },
            },
          ],
        },
        { id: { kind: { case: 'uuid', value: uuidBytes } } },
        { id: { kind: { case: 'text', value: 'k' } } },
      ],
      manifestGeneration: 12n,
      statistics: { cacheHitCount: 1n, cacheMissCount: 3n, exhaustiveRowCount: 4n, rowCount: 5n, executionMs: 0.25 },
    };
    const answer = await call('POST', '/v2/namespaces/a/query', { rank_by: ['vector', 'ANN', [1, 2]], profile: true });
    expect(answer.text).toContain(
      '"rows":[{"id":18446744073709551615,"$dist":0.7,"s":"ü","i":-9223372036854775808,"u":5,"f":0.1,"b":false,' +
        '"y":"AQL/","w":"00010203-0405-0607-0809-0a0b0c0d0e0f","d":"2023-11-14T22:13:20Z","n":null,"a":[1],' +
        '"__proto__":1,"vector":[0.7,-1]},{"id":"00010203-0405-0607-0809-0a0b0c0d0e0f"},{"id":"k"}]',
    );
    expect(answer.json).toMatchObject({
      billing: {
        billable_logical_bytes_queried: 0,
        billable_logical_bytes_returned: 8 + 2 + 8 + 8 + 8 + 1 + 3 + 16 + 8 + 8 + 8 + 8 + 16 + 1,
      },
      performance: {
        cache_hit_ratio: 0.25,
        cache_temperature: 'warm',
        server_total_ms: expect.any(Number),
        query_execution_ms: 0.25,
        exhaustive_search_count: 4,
        approx_namespace_size: 5,
      },
      manifest_generation: 12,
      profile: { row_count: 5, execution_ms: 0.25 },
    });
    const encoded = await call('POST', '/v2/namespaces/a/query', {
      rank_by: ['vector', 'ANN', [1, 2]],
      vector_encoding: 'base64',
    });
    expect(encoded.text).toContain(`"vector":"${Buffer.from(f32(0.7, -1)).toString('base64')}"`);
    expect(encoded.json).not.toHaveProperty('profile');
  });

  test('metadata and schema', async () => {
    const { call, backends } = createTestGateway();
    backends.metadata = {
      schema: {
        idType: 'u64',
        attributes: [
          { name: 'vector', type: '[2]f32', ann: { distanceMetric: 'cosine_distance' } },
          { name: 'n', type: 'int', filterable: true },
          { name: 't', type: 'string', filterable: false, fullTextSearch: { tokenizer: 'word_v4', k1: 1.2, b: 0.75 } },
        ],
      },
      manifestGeneration: 3n,
      approxRowCount: 10n,
      approxLogicalBytes: 99n,
      createdAtMs: 0n,
      lastWriteAtMs: 1_500n,
    };
    const schema = await call('GET', '/v1/namespaces/a/schema');
    expect(schema.json).toMatchObject({
      id: { type: 'uint' },
      vector: { type: '[2]f32', ann: { distance_metric: 'cosine_distance' } },
      n: { type: 'int', filterable: true },
      t: { type: 'string', filterable: false, full_text_search: { tokenizer: 'word_v4' } },
    });
    for (const version of ['v1', 'v2']) {
      expect((await call('GET', `/${version}/namespaces/a/metadata`)).json).toEqual({
        schema: schema.json,
        approx_row_count: 10,
        approx_logical_bytes: 99,
        created_at: '1970-01-01T00:00:00Z',
        updated_at: '1970-01-01T00:00:01.500Z',
        last_write_at: '1970-01-01T00:00:01.500Z',
        encryption: { mode: 'default' },
        index: { status: 'up-to-date' },
        manifest_generation: 3,
      });
    }
    backends.metadata = { ...backends.metadata, unindexedBytes: 5n, unindexedRowCount: 1n };
    expect((await call('GET', '/v1/namespaces/a/metadata')).json).toMatchObject({
      index: { status: 'updating', unindexed_bytes: 5, unindexed_rows: 1 },
    });
  });

  test('a schema that was answered can be posted again, and an empty post only answers it', async () => {
    const { call, backends } = createTestGateway();
    backends.metadata = { schema: { idType: 'string', attributes: [{ name: 'n', type: 'int' }] } };
    const present = await call('GET', '/v1/namespaces/a/schema');
    expect((await call('POST', '/v1/namespaces/a/schema')).json).toEqual(present.json);
    expect((await call('POST', '/v1/namespaces/a/schema', {})).json).toEqual(present.json);
    expect(backends.schemaUpdates).toHaveLength(0);
    expect((await call('POST', '/v1/namespaces/a/schema', present.json)).json).toEqual(present.json);
    expect(backends.schemaUpdates).toHaveLength(1);
    expect((await call('POST', '/v1/namespaces/a/schema', { n: 5 })).status).toBe(422);
  });

  test('delete, warm and list', async () => {
    const { call, backends } = createTestGateway();
    expect((await call('DELETE', '/v2/namespaces/a')).json).toEqual({ status: 'OK', manifest_generation: 9 });
    const warm = await call('GET', '/v1/namespaces/a/hint_cache_warm');
    expect([warm.status, warm.json]).toEqual([202, { status: 'ACCEPTED', message: expect.any(String) }]);
    expect((await call('GET', '/v1/namespaces')).json).toEqual({ namespaces: [], next_cursor: null });
    backends.names = ['x1', 'x2'];
    const list = await call('GET', '/v1/namespaces?prefix=x&page_size=2&cursor=x0&other=1');
    expect(list.json).toEqual({ namespaces: [{ id: 'x1' }, { id: 'x2' }], next_cursor: 'x2' });
    expect(backends.lists.at(-1)).toEqual({ prefix: 'x', pageSize: 2, cursor: 'x0' });
    for (const size of ['0', '1001', '-1', 'x', '1.5']) {
      expect((await call('GET', `/v1/namespaces?page_size=${size}`)).status).toBe(400);
    }
  });

  test.each([
    ['POST', '/v2/namespaces/a/query', { rank_by: ['id', 'asc'] }],
    ['GET', '/v1/namespaces/a/schema', undefined],
    ['GET', '/v2/namespaces/a/metadata', undefined],
    ['DELETE', '/v2/namespaces/a', undefined],
  ])('%s %s of an absent namespace is 404', async (method, path, body) => {
    const { call, backends } = createTestGateway();
    backends.before = () =>
      Promise.reject(new LagoonError('not_found', 'no such namespace', { context: { namespace: 'a' } }));
    const answer = await call(method, path, body);
    expect(answer.status).toBe(404);
    expect(answer.json).toEqual({ status: 'error', error: 'no such namespace (namespace=a)' });
  });

  test('what a backend throws keeps its status and its waiting time', async () => {
    const { call, backends } = createTestGateway();
    backends.before = () =>
      Promise.reject(
        new LagoonError('resource_exhausted', 'too far behind', { reason: 'backpressure', retryAfterMs: 1_200 }),
      );
    const answer = await call('POST', '/v2/namespaces/a', { deletes: [1] });
    expect(answer.status).toBe(429);
    expect(answer.headers['retry-after-ms']).toBe('1200');
  });

  test('every call to a backend has a bound, a signal and the trace of its caller', async () => {
    const { call, backends } = createTestGateway();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await call('POST', '/v2/namespaces/a', { deletes: [1] }, { traceparent });
    await call('POST', '/v2/namespaces/a/query', { rank_by: ['id', 'asc'] }, { traceparent });
    for (const options of backends.options) {
      expect(options.timeoutMs).toBeGreaterThan(0);
      expect(options.signal).toBeInstanceOf(AbortSignal);
      expect(options.traceparent).toBe(traceparent);
    }
    expect(backends.options).toHaveLength(2);
  });
});
