import { describe, expect, test } from '@jest/globals';
import { createTestGateway } from '../testing/recording-backends.ts';

const path = '/v2/namespaces/child';

describe('a write that makes its namespace out of another one', () => {
  test.each([
    [{ branch_from_namespace: 'parent' }, { namespace: 'child', source: 'parent' }],
    [{ branch_from_namespace: { source_namespace: 'parent' } }, { namespace: 'child', source: 'parent' }],
    [
      { branch_from_namespace: { source_namespace: 'parent', generation: 7 }, create_namespace: true },
      { namespace: 'child', source: 'parent', generation: 7n },
    ],
    [
      { copy_from_namespace: 'parent', upsert_rows: null },
      { namespace: 'child', source: 'parent' },
    ],
    [{ copy_from_namespace: { source_namespace: 'parent' } }, { namespace: 'child', source: 'parent' }],
  ])('%j is sent on as one birth', async (body, expected) => {
    const { call, backends } = createTestGateway();
    const answer = await call('POST', path, body);
    expect(answer.json).toMatchObject({ status: 'OK', rows_affected: 0, manifest_generation: 1, source_generation: 5 });
    expect(backends.branches).toEqual([expected]);
    expect(backends.appends).toEqual([]);
  });

  test('carries its idempotency key, with the hash of the body', async () => {
    const { call, backends } = createTestGateway();
    await call('POST', path, { branch_from_namespace: 'parent' }, { 'idempotency-key': 'k' });
    expect(backends.branches[0]).toMatchObject({ idempotencyKey: 'k', bodyHash: { byteLength: 32 } });
  });

  test.each([
    [{ branch_from_namespace: 'parent', upsert_rows: [{ id: 1 }] }, 400, 'no other field'],
    [{ branch_from_namespace: 'parent', copy_from_namespace: 'parent' }, 400, 'no other field'],
    [{ branch_from_namespace: 'parent', create_namespace: false }, 400, 'create_namespace'],
    [{ branch_from_namespace: 'a/b' }, 400, '128 characters'],
    [{ branch_from_namespace: 5 }, 422, 'branch_from_namespace'],
    [{ branch_from_namespace: {} }, 422, 'source_namespace'],
    [{ branch_from_namespace: { source_namespace: 'p', generation: 0 } }, 400, 'generation'],
    [{ branch_from_namespace: { source_namespace: 'p', other: 1 } }, 422, 'unknown field'],
    [{ copy_from_namespace: { source_namespace: 'p', generation: 1 } }, 422, 'unknown field'],
    [{ copy_from_namespace: { source_namespace: 'p', source_region: 'x' } }, 501, 'source_region'],
    [{ copy_from_namespace: { source_namespace: 'p', source_api_key: 'x' } }, 501, 'source_api_key'],
  ])('%j is refused', async (body, status, text) => {
    const { call, backends } = createTestGateway();
    const answer = await call('POST', path, body);
    expect(answer.text).toContain(text);
    expect(answer.status).toBe(status);
    expect(backends.branches).toEqual([]);
  });
});

describe('snapshots', () => {
  test('are taken, listed and deleted', async () => {
    const { call, backends } = createTestGateway();
    expect((await call('POST', `${path}/snapshots`, { name: 's', generation: 3 })).json).toMatchObject({
      status: 'OK',
      snapshot: { name: 's', manifest_generation: 5, created_at: '1970-01-01T00:00:00Z' },
    });
    expect(backends.snapshots).toEqual([{ namespace: 'child', name: 's', generation: 3n }]);
    expect((await call('GET', `${path}/snapshots`)).json).toMatchObject({ snapshots: [{ name: 'one' }] });
    expect((await call('DELETE', `${path}/snapshots/one`)).json).toEqual({ status: 'OK' });
  });

  test.each([
    ['POST', `${path}/snapshots`, {}, 422],
    ['POST', `${path}/snapshots`, { name: 'a/b' }, 400],
    ['POST', `${path}/snapshots`, { name: 'a', what: 1 }, 422],
    ['DELETE', `${path}/snapshots/a%2Fb`, undefined, 400],
  ])('%s %s with %j is refused', async (method, at, body, status) => {
    const { call } = createTestGateway();
    expect((await call(method, at, body)).status).toBe(status);
  });
});

describe('restore', () => {
  test.each([
    [{ snapshot: 's' }, { namespace: 'child', source: 'child', snapshot: 's' }],
    [
      { snapshot: 's', into: 'other' },
      { namespace: 'other', source: 'child', snapshot: 's' },
    ],
    [
      { generation: 4, into: 'other' },
      { namespace: 'other', source: 'child', generation: 4n },
    ],
  ])('%j is sent on as one birth', async (body, expected) => {
    const { call, backends } = createTestGateway();
    expect((await call('POST', `${path}/restore`, body)).json).toMatchObject({
      status: 'OK',
      namespace: expected.namespace,
      manifest_generation: 1,
    });
    expect(backends.branches).toEqual([expected]);
  });

  test.each([[{}], [{ snapshot: 's', generation: 1 }], [{ snapshot: 's', into: 'a/b' }]])(
    '%j is refused',
    async (body) => {
      const { call } = createTestGateway();
      expect((await call('POST', `${path}/restore`, body)).status).toBe(400);
    },
  );
});

describe('export', () => {
  const row = (id: bigint) => ({ id: { kind: { case: 'u64', value: id } } as const, attributes: [] });
  const at = `${path}/export`;

  test('streams page after page of one lease until the last', async () => {
    const { call, backends } = createTestGateway();
    backends.exportPages.push(
      { rows: [row(1n), row(2n)], lease: 'l1', manifestGeneration: 7n },
      { rows: [row(9007199254740993n)], lease: 'l1', isLast: true },
    );
    const answer = await call('GET', `${at}?page_size=2`);
    expect(answer.text).toBe('{"id":1}\n{"id":2}\n{"id":9007199254740993}\n');
    expect(answer.headers).toMatchObject({ 'lagoon-lease': 'l1', 'lagoon-generation': '7' });
    expect(backends.exports).toEqual([
      { namespace: 'child', lease: '', pageSize: 2 },
      { namespace: 'child', lease: 'l1', pageSize: 2, after: { kind: { case: 'uintValue', value: 2n } } },
    ]);
  });

  test.each([
    ['after=5', { case: 'uintValue', value: 5n }],
    ['after=abc', { case: 'stringValue', value: 'abc' }],
    ['after=%225%22', { case: 'stringValue', value: '5' }],
  ])('goes on behind %s', async (after, kind) => {
    const { call, backends } = createTestGateway();
    backends.exportPages.push({ lease: 'l1', isLast: true });
    expect((await call('GET', `${at}?lease=l1&${after}`)).text).toBe('');
    expect(backends.exports).toEqual([{ namespace: 'child', lease: 'l1', pageSize: 0, after: { kind } }]);
  });

  test.each([['page_size=x'], ['page_size=10001'], ['after=1']])('%s is refused', async (query) => {
    const { call } = createTestGateway();
    expect((await call('GET', `${at}?${query}`)).status).toBe(400);
  });
});
