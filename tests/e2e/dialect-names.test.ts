import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { send } from '../support/http.ts';
import { type NamespaceState, stateOf } from '../support/namespace-state.ts';
import { type ProcessTarget, startOnDirectory } from '../support/process-target.ts';

/**
 * Every name of the dialect, asked of a started server: it works, or the answer is 501 and names it, or (where the dialect has it as a known
 * name that is refused) 400. A name that the dialect does not have is 400 or 422 and is named too. None is ignored.
 */
let target: ProcessTarget;
let before: NamespaceState;
const path = '/v2/namespaces/names';

beforeAll(async () => {
  target = await startOnDirectory();
  const body = {
    upsert_rows: [
      { id: 1, vector: [1, 0], n: 1, s: 'a', tags: ['x'], text: 'a quick fox' },
      { id: 2, vector: [0, 1], n: 2, s: 'b', text: 'a lazy dog' },
    ],
    schema: { text: { type: 'string', full_text_search: true } },
  };
  expect(await send(target.url, 'POST', path, { body })).toMatchObject({ status: 200 });
  before = await stateOf(target.url, 'names');
});

afterAll(async () => {
  await target?.close();
});

async function expectAnswer(method: string, at: string, body: unknown, status: number, name: string): Promise<void> {
  const answer = await send(target.url, method, at, { body });
  expect({ status: answer.status, text: answer.text }).toEqual({ status, text: expect.stringContaining(name) });
  if (status === 200) return;
  expect(answer.json).toMatchObject({ status: 'error' });
  if (status === 501) expect(answer.headers['x-should-retry']).toBe('false');
  expect(await stateOf(target.url, 'names')).toEqual(before);
}

describe('writes', () => {
  const rows = { upsert_rows: [{ id: 9 }] };
  test.each<readonly [string, unknown]>([
    ['encryption', { mode: 'customer-managed', key_name: 'k' }],
    ['sharding', { num_shards: 2 }],
  ])('%s is 501, alone and beside rows', async (name, value) => {
    await expectAnswer('POST', path, { [name]: value }, 501, name);
    await expectAnswer('POST', path, { ...rows, [name]: value }, 501, name);
  });

  test.each<readonly [string, unknown, number]>([
    ['upsert_row', [{ id: 9 }], 422],
    ['delete', [9], 422],
    ['distance_metric', 'hamming', 400],
    ['create_namespace', 'yes', 422],
  ])('%s: %j is refused by name', async (name, value, status) => {
    await expectAnswer('POST', path, { ...rows, [name]: value }, status, name);
  });

  test('names that are served work', async () => {
    for (const [index, metric] of ['cosine_distance', 'euclidean_squared', 'dot_product'].entries()) {
      const body = { upsert_rows: [{ id: 1, vector: [1, 2] }], distance_metric: metric, disable_backpressure: true };
      await expectAnswer('POST', `/v2/namespaces/metric-${index}`, body, 200, '"rows_upserted":1');
    }
    const made = { create_namespace: true, schema: { id: 'uuid' } };
    await expectAnswer('POST', '/v2/namespaces/made', made, 200, 'manifest_generation');
    await expectAnswer('GET', '/v1/namespaces/made/schema', undefined, 200, '"id":{"type":"uuid"}');
  });
});

describe('schema', () => {
  test.each<readonly [string, unknown, number]>([
    ['regex', { type: 'int', regex: true }, 400],
    ['glob', { type: '[]float', glob: true }, 400],
    ['fuzzy', { type: 'string', fuzzy: { max: 1 } }, 422],
    ['drop', { drop: true }, 501],
    ['sparse_knn', { type: 'string', sparse_knn: true }, 400],
    ['x: vector dimensions out of range', '[0]f16', 400],
    ['x.type: vector dimensions out of range', { type: '[10753]i8' }, 400],
    ['[4]f64', '[4]f64', 400],
    ['k3', { type: 'string', full_text_search: { k3: -2 } }, 400],
    ['embed', { type: 'string', embed: { model: 'm' } }, 400],
    ['late_interaction', { type: '[4]f32', ann: { late_interaction: true } }, 400],
    ['[][4]f32', '[][4]f32', 400],
    ['tokeniser', { type: 'string', full_text_search: { tokeniser: 'word_v4' } }, 422],
    ['word_v9', { type: 'string', full_text_search: { tokenizer: 'word_v9' } }, 400],
    ['klingon', { type: 'string', full_text_search: { language: 'klingon' } }, 400],
    ['indexed', { type: 'string', indexed: true }, 422],
    ['text', 'text', 400],
  ])('%s', async (name, setting, status) => {
    await expectAnswer('POST', path, { upsert_rows: [{ id: 9 }], schema: { x: setting } }, status, name);
    await expectAnswer('POST', '/v1/namespaces/names/schema', { x: setting }, status, name);
  });

  const types = ['string', 'int', 'uint', 'float', 'uuid', 'datetime', 'bool', 'bytes'];
  test('every type, array of types, tokenizer and language that is served is declared and told', async () => {
    const schema: Record<string, unknown> = {
      id: 'uint',
      v: '[4]f32',
      w: { type: '[4]f32', ann: { distance_metric: 'dot_product' } },
    };
    for (const type of types) {
      schema[`one_${type}`] = type;
      if (type !== 'bytes') schema[`many_${type}`] = { type: `[]${type}`, filterable: false };
    }
    for (const tokenizer of ['word_v0', 'word_v1', 'word_v2', 'word_v3', 'word_v4']) {
      schema[tokenizer] = { type: 'string', full_text_search: { tokenizer } };
    }
    schema.tokens = { type: '[]string', full_text_search: { tokenizer: 'pre_tokenized_array' } };
    schema.pattern = { type: 'string', glob: true, regex: true, fuzzy: true };
    schema.sparse = { type: '{}f16', sparse_knn: true };
    schema.fuzzy = { type: '[]string', fuzzy: true };
    const flags = { stemming: true, remove_stopwords: true, case_sensitive: true, ascii_folding: true };
    const numbers = { max_token_length: 20, k1: 1, b: 0.5, k3: 2 };
    schema.all = { type: 'string', full_text_search: { language: 'german', ...flags, ...numbers } };
    schema.greek = { type: 'string', full_text_search: { language: 'greek', stemming: true } };
    const body = { create_namespace: true, schema };
    await expectAnswer('POST', '/v2/namespaces/types', body, 200, 'manifest_generation');
    const told = await send(target.url, 'GET', '/v1/namespaces/types/schema');
    expect(told.json).toMatchObject({
      v: { type: '[4]f32' },
      w: { ann: { distance_metric: 'dot_product' } },
      one_uuid: { type: 'uuid', filterable: true },
      many_datetime: { type: '[]datetime', filterable: false },
      pattern: { filterable: false, glob: true, regex: true, fuzzy: true },
      fuzzy: { type: '[]string', filterable: true, fuzzy: true },
      word_v0: { full_text_search: { tokenizer: 'word_v0', language: 'english', stemming: false } },
      all: { full_text_search: { language: 'german', ...flags, ...numbers } },
      greek: { full_text_search: { k3: 8 } },
    });
    expect(Object.keys(told.json as object)).toEqual(expect.arrayContaining(Object.keys(schema)));
  });
});

describe('queries', () => {
  const ask = (part: object) => ({ rank_by: ['id', 'asc'], ...part });
  const bm25 = ['text', 'BM25', 'fox'];
  test.each<readonly [string, object]>([
    ['Embed', ask({ compute_attributes: { d: ['Embed', 'text'] } })],
    ['Embed', { rank_by: ['vector', 'ANN', ['Embed', 'text']] }],
  ])('%s is 501', async (name, body) => {
    await expectAnswer('POST', `${path}/query`, body, 501, name);
  });

  test.each<readonly [string, object, number]>([
    ['filter', ask({ filter: ['n', 'Eq', 1] }), 422],
    ['topk', ask({ topk: 1 }), 422],
    ['Equals', ask({ filters: ['n', 'Equals', 1] }), 400],
    ['Nand', ask({ filters: ['Nand', []] }), 400],
    ['HNSW', { rank_by: ['vector', 'HNSW', [1, 0]] }, 400],
    ['ascending', { rank_by: ['n', 'ascending'] }, 400],
    ['linearizable', ask({ consistency: { level: 'linearizable' } }), 400],
    ['staleness', ask({ consistency: { level: 'eventual', staleness: 1 } }), 422],
    ['hex', ask({ vector_encoding: 'hex' }), 400],
    ['nothing', ask({ include_attributes: ['nothing'] }), 400],
    ['nothing', ask({ filters: ['nothing', 'Eq', 1] }), 400],
    ['prefix', { rank_by: [...bm25, { prefix: true }] }, 422],
  ])('%s is refused by name', async (name, body, status) => {
    await expectAnswer('POST', `${path}/query`, body, status, name);
  });

  test.each<readonly [object, string]>([
    [{ rank_by: ['vector', 'kNN', [1, 0]], limit: 1 }, '"rows":[{"id":1,"$dist":0}]'],
    [{ rank_by: ['vector', 'ANN', Buffer.from(Float32Array.of(0, 1).buffer).toString('base64')], top_k: 1 }, '"id":2'],
    [{ rank_by: ['text', 'BM25', 'fox'] }, '"id":1'],
    [{ rank_by: ['text', 'BM25', 'fox', { last_as_prefix: false }] }, '"id":1'],
    [{ rank_by: ['n', 'desc'], limit: { total: 1 } }, '"rows":[{"id":2}]'],
    [
      {
        rank_by: [
          ['s', 'asc'],
          ['n', 'desc'],
        ],
        offset: 1,
      },
      '"rows":[{"id":2}]',
    ],
    [ask({ include_attributes: ['s'] }), '{"id":1,"s":"a"}'],
    [ask({ exclude_attributes: ['vector', 'n', 'text', 'tags'] }), '{"id":1,"s":"a"}'],
    [ask({ include_attributes: ['vector'], vector_encoding: 'base64' }), '"vector":"AACAPwAAAAA="'],
    [ask({ consistency: { level: 'eventual', max_staleness_seconds: 5, min_manifest_generation: 1 } }), '"id":1'],
    [ask({ profile: true }), '"profile":{'],
    [ask({ filters: ['tags', 'In', ['x', 'y']] }), '"rows":[{"id":1}]'],
    [ask({ filters: ['s', 'Lt', 'b'] }), '"rows":[{"id":1}]'],
  ])('%j works', async (body, expected) => {
    await expectAnswer('POST', `${path}/query`, body, 200, expected);
  });
});

describe('endpoints', () => {
  test.each([
    ['PATCH', '/v1/namespaces/names/metadata', { pinning: { replicas: 2 } }],
    ['GET', '/v2/namespaces/names/changes?after=1', undefined],
    ['POST', '/v2/namespaces/names/reindex', {}],
    ['GET', '/v1/keys', undefined],
    ['POST', '/v1/keys', {}],
    ['GET', '/v1/cluster', undefined],
    ['GET', '/openapi.json', undefined],
    ['GET', '/ui', undefined],
  ])('%s %s is 501', async (method, at, body) => {
    await expectAnswer(method, at, body, 501, 'is not implemented yet');
    if (at.startsWith('/v')) await expectAnswer(method, `/eu-1${at}`, body, 501, 'is not implemented yet');
  });

  test.each([
    ['GET', '/v2/namespaces/names/metadata', undefined, '"approx_row_count"'],
    ['GET', '/v1/namespaces/names/metadata', undefined, '"last_write_at"'],
    ['GET', '/v1/namespaces/names/schema', undefined, '"full_text_search"'],
    ['POST', '/v1/namespaces/names/schema', undefined, '"full_text_search"'],
    ['GET', '/v1/namespaces?prefix=nam&page_size=1&unknown=1', undefined, '"namespaces":[{"id":"names"}]'],
    ['POST', '/eu-1/v2/namespaces/names/query?stainless_overload=x', { rank_by: ['id', 'asc'] }, '"id":1'],
  ])('%s %s works', async (method, at, body, expected) => {
    await expectAnswer(method, at, body, 200, expected);
  });

  test('another method is 405 with those allowed, another path 404', async () => {
    const answer = await send(target.url, 'PUT', path);
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'POST, DELETE' } });
    await expectAnswer('GET', '/v2/namespaces/names/nothing', undefined, 404, 'nothing');
  });
});
