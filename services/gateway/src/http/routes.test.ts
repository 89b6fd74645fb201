import { describe, expect, test } from '@jest/globals';
import { createTestGateway } from '../testing/recording-backends.ts';
import { matchRoute } from './routes.ts';

describe('routes', () => {
  test('an endpoint is found with and without a region before it', () => {
    const expected = { kind: 'endpoint', endpoint: 'query', namespace: 'my-ns_1.x', parameter: '' };
    expect(matchRoute('POST', '/v2/namespaces/my-ns_1.x/query')).toEqual(expected);
    expect(matchRoute('POST', '/aws-us-east-1/v2/namespaces/my-ns_1.x/query')).toEqual(expected);
    expect(matchRoute('POST', '/v2/namespaces/my-ns_1.x/query/')).toEqual(expected);
    expect(matchRoute('POST', '/a/b/v2/namespaces/x/query')).toEqual({ kind: 'unknown' });
  });

  test.each(['a/b', 'ä', 'a b', '.', '..', '%2e%2F', 'x'.repeat(129), ''])(
    'the namespace name %j is refused',
    async (name) => {
      const { call } = createTestGateway();
      const answer = await call('POST', `/v2/namespaces/${encodeURIComponent(name)}/query`, {});
      expect([400, 404]).toContain(answer.status);
      expect(answer.json).toMatchObject({ status: 'error' });
    },
  );

  test('a broken percent encoding is 400', async () => {
    const { call } = createTestGateway();
    expect((await call('GET', '/v1/namespaces/%zz/schema')).status).toBe(400);
  });

  test('another path is 404, another method 405 with what is allowed', async () => {
    const { call } = createTestGateway();
    expect((await call('GET', '/v1/nothing')).status).toBe(404);
    expect((await call('GET', '/')).status).toBe(404);
    const answer = await call('PUT', '/v1/namespaces/a/schema');
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe('GET, POST');
  });

  test.each([
    ['GET', '/v2/namespaces/a/changes'],
    ['POST', '/v2/namespaces/a/reindex'],
    ['GET', '/v1/keys'],
    ['GET', '/v1/cluster'],
    ['GET', '/openapi.json'],
    ['GET', '/ui'],
  ])('%s %s answers 501 with its name', async (method, path) => {
    const { call } = createTestGateway();
    const answer = await call(method, path, method === 'GET' ? undefined : {});
    expect(answer.status).toBe(501);
    expect(answer.text).toContain(path.split('/').at(-1)?.slice(0, 3));
    expect(answer.headers['x-should-retry']).toBe('false');
  });
});
