import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createSystemClock } from '@lagoon/base';
import type { ResultRowSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import { createTestGateway } from '../testing/recording-backends.ts';
import { createHttpReranker } from './http-reranker.ts';

type Row = MessageInitShape<typeof ResultRowSchema>;

const text = (value: string) => ({ name: 'text', value: { kind: { case: 'stringValue' as const, value } } });
const row = (id: bigint, words?: string): Row => ({
  id: { kind: { case: 'u64', value: id } },
  dist: 1,
  attributes: words === undefined ? [] : [text(words)],
});

interface Asked {
  readonly model: string;
  readonly query: string;
  readonly documents: readonly string[];
}

/** A real server that answers what a test says. */
describe('rerank by a model', () => {
  let server: Server;
  let url: string;
  let asked: Asked[];
  let answer: (request: Asked) => { readonly status: number; readonly body: string } | undefined;
  /** The longer a text, the better. */
  const byLength = ({ documents }: Asked) => ({
    status: 200,
    body: JSON.stringify({
      results: documents.map((document, index) => ({ index, relevance_score: document.length })),
    }),
  });

  beforeEach(async () => {
    asked = [];
    answer = byLength;
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as Asked;
        asked.push(body);
        const told = answer(body);
        if (told !== undefined) response.writeHead(told.status).end(told.body); // else it never answers
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rerank`;
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const ask = async (
    given: object = {},
    rows: readonly Row[] = [row(1n, 'a'), row(2n), row(3n, 'abc'), row(4n, 'ab')],
  ) => {
    const reranker = createHttpReranker(createSystemClock(), { urls: new Map([['long', url]]), timeoutMs: 300 });
    const { call, backends } = createTestGateway({}, { reranker });
    backends.multiQueryResponse = { results: [{ rows: [...rows] }], manifestGeneration: 4n };
    const answered = await call('POST', '/v2/namespaces/a/query', {
      queries: [{ rank_by: ['text', 'BM25', 'x'], include_attributes: ['other'] }],
      rerank_by: { model: 'long', query: 'q', attribute: 'text' },
      ...given,
    });
    const json = answered.json as {
      readonly error?: string;
      readonly results?: { readonly rows: { readonly id: number; readonly $dist?: number }[] }[];
      readonly performance?: { readonly rerank?: Record<string, unknown> };
    };
    return { status: answered.status, json, backends, ids: json.results?.[0]?.rows.map(({ id }) => id) };
  };

  test('orders rows by the model’s scores; those without a text come last', async () => {
    const { json, ids, backends } = await ask();
    expect(asked).toEqual([{ model: 'long', query: 'q', documents: ['a', 'abc', 'ab'] }]);
    expect(ids).toEqual([3, 4, 1, 2]);
    expect(json.results?.[0]?.rows[0]).toEqual({ id: 3, $dist: 3 }); // the text was not asked for
    expect(json.results?.[0]?.rows[3]).toEqual({ id: 2 });
    expect(json.performance?.rerank).toMatchObject({ model: 'long', applied: true, document_count: 3 });
    expect(backends.multiQueries[0]?.queries?.[0]?.projection?.kind).toMatchObject({
      case: 'include',
      value: { names: ['other', 'text'] },
    });
  });

  test('limit and offset cut the reranked list, and a text that was asked for stays', async () => {
    const queries = [{ rank_by: ['text', 'BM25', 'x'], include_attributes: ['text'] }];
    const { json } = await ask({ queries, limit: 1, offset: 1 });
    expect(json.results?.[0]?.rows).toEqual([{ id: 4, $dist: 2, text: 'ab' }]);
  });

  test('a text that the model leaves out comes behind those it has scored', async () => {
    answer = () => ({ status: 200, body: '{"results":[{"index":2,"relevance_score":-7}]}' });
    expect((await ask()).ids).toEqual([4, 1, 2, 3]);
  });

  test.each<[string, () => { readonly status: number; readonly body: string } | undefined, RegExp]>([
    ['an error', () => ({ status: 500, body: '{}' }), /answered with an error \(model=long, status=500\)/],
    ['no answer in time', () => undefined, /did not answer in time \(model=long, timeoutMs=300\)/],
    ['no JSON', () => ({ status: 200, body: 'oops' }), /something else than scores/],
    ['no results', () => ({ status: 200, body: '{}' }), /something else than scores/],
    [
      'an index past the end',
      () => ({ status: 200, body: '{"results":[{"index":3,"relevance_score":1}]}' }),
      /something/,
    ],
    [
      'an index twice',
      () => ({ status: 200, body: '{"results":[{"index":0,"relevance_score":1},{"index":0,"relevance_score":1}]}' }),
      /something/,
    ],
    ['no score', () => ({ status: 200, body: '{"results":[{"index":0,"relevance_score":null}]}' }), /something/],
    ['too much', () => ({ status: 200, body: ' '.repeat((4 << 20) + 1) }), /answered too much/],
  ])('%s: the fused order stands, and the answer says so', async (_title, told, reason) => {
    answer = told;
    const { status, ids, json } = await ask();
    expect(status).toBe(200);
    expect(ids).toEqual([1, 2, 3, 4]);
    expect(json.performance?.rerank).toMatchObject({ applied: false, reason: expect.stringMatching(reason) });
  });

  test('a server that is not there too', async () => {
    await new Promise((resolve) => server.close(resolve));
    const { ids, json } = await ask();
    expect(ids).toEqual([1, 2, 3, 4]);
    expect(json.performance?.rerank).toMatchObject({
      applied: false,
      reason: expect.stringMatching(/cannot be reached/),
    });
  });

  test.each<[string, object, number, RegExp]>([
    [
      'an unknown model',
      { model: 'other', query: 'q', attribute: 'text' },
      400,
      /no such reranker \(model=other, configured=long\)/,
    ],
    ['no query', { model: 'long', query: '', attribute: 'text' }, 400, /rerank_by\.query: a reranker needs a query/],
    [
      'a long query',
      { model: 'long', query: 'x'.repeat(16_385), attribute: 'text' },
      400,
      /the query text is too long/,
    ],
    ['no attribute', { model: 'long', query: 'q' }, 422, /^rerank_by\.attribute: expected the name of an attribute/],
    ['another field', { model: 'long', query: 'q', attribute: 'a', top: 1 }, 422, /^rerank_by\.top: unknown field/],
  ])('%s is refused before any query runs', async (_title, rerank_by, status, message) => {
    const refused = await ask({ rerank_by });
    expect(refused.json.error).toMatch(message);
    expect(refused.status).toBe(status);
    expect(refused.backends.multiQueries).toHaveLength(0);
  });

  test('an attribute that is no text is refused', async () => {
    const number = { name: 'text', value: { kind: { case: 'intValue' as const, value: 1n } } };
    const { json } = await ask({}, [{ id: { kind: { case: 'u64', value: 1n } }, attributes: [number] }]);
    expect(json.error).toMatch(/takes the texts of a string attribute \(attribute=text\)/);
  });
});
