import { create } from '@bufbuild/protobuf';
import { describe, expect, test } from '@jest/globals';
import { GetOperationRequestSchema, StartCopyRequestSchema } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import { createTestGateway } from '../testing/recording-backends.ts';

const path = '/v2/namespaces/child/async?stainless_overload=startCopyFrom';
const times = { startedAtMs: 1_700_000_000_000n, finishedAtMs: 1_700_000_000_250n };

describe('a copy with a token', () => {
  test.each([['parent'], [{ source_namespace: 'parent' }]])(
    'of %j is sent on, and answered with the token',
    async (source) => {
      const { call, backends } = createTestGateway();
      const answer = await call('POST', path, { copy_from_namespace: source }, { 'idempotency-key': 'k' });
      expect(answer).toMatchObject({ status: 200, json: { token: 'token1' } });
      expect(backends.copies).toEqual([{ namespace: 'child', source: 'parent', idempotencyKey: 'k' }]);
    },
  );

  test.each([
    [{}, 400],
    [{ upsert_rows: [{ id: 1 }] }, 400],
    [{ branch_from_namespace: 'parent' }, 400],
    [{ copy_from_namespace: 'parent', upsert_rows: [{ id: 1 }] }, 400],
    [{ copy_from_namespace: { source_namespace: 'p', source_api_key: 'x' } }, 501],
    ['"x"', 422],
  ])('%j is refused', async (body, status) => {
    const { call, backends } = createTestGateway();
    expect((await call('POST', path, body)).status).toBe(status);
    expect(backends.copies).toEqual([]);
  });

  test.each([
    [{ startedAtMs: times.startedAtMs }, { status: 'running', start_time: '2023-11-14T22:13:20Z' }],
    [
      { ...times, outcome: { case: 'copied' as const, value: { manifestGeneration: 1n, sourceGeneration: 7n } } },
      {
        status: 'finished',
        start_time: '2023-11-14T22:13:20Z',
        finish_time: '2023-11-14T22:13:20.250Z',
        result: { success: { status: 'OK', rows_affected: 0, manifest_generation: 1, source_generation: 7 } },
      },
    ],
    [
      { ...times, outcome: { case: 'failed' as const, value: { code: 'not_found', message: 'no such namespace' } } },
      { result: { error: { status_code: 404, detail: { status: 'error', error: 'no such namespace' } } } },
    ],
    [
      { ...times, outcome: { case: 'failed' as const, value: { code: 'not_found', reason: 'gone', message: 'm' } } },
      { result: { error: { status_code: 410 } } },
    ],
    [
      { ...times, outcome: { case: 'failed' as const, value: { code: 'of a later version', message: 'm' } } },
      { result: { error: { status_code: 500 } } },
    ],
  ])('%j is told so', async (operation, expected) => {
    const { call, backends } = createTestGateway();
    backends.operation = operation;
    const answer = await call('GET', '/v1/namespaces/child/operations/token1');
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject(expected);
  });

  test('is there over gRPC, with the same checks', async () => {
    const { role, backends } = createTestGateway();
    const context = { signal: new AbortController().signal };
    const service = role.lagoonService;
    const started = await service.startCopy(
      create(StartCopyRequestSchema, { namespace: 'child', source: 'parent' }),
      context,
    );
    expect(started.token).toBe('token1');
    backends.operation = times;
    const request = create(GetOperationRequestSchema, { namespace: 'child', token: 'token1' });
    expect(await service.getOperation(request, context)).toMatchObject(times);
    const wrong = create(StartCopyRequestSchema, { namespace: 'child', source: 'a/b' });
    await expect(service.startCopy(wrong, context)).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
