import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { send } from '../support/http.ts';
import { field, type NamespaceState, stateOf } from '../support/namespace-state.ts';
import { printingLogs } from '../support/printing-logs.ts';
import { type ProcessTarget, startOnDirectory } from '../support/process-target.ts';

/**
 * Requests that mean nothing, against a started server: each gets a status and a message that says what is wrong, changes nothing,
 * and the server goes on.
 */
const bodyBytesMax = 1 << 20;
const namespace = 'kept';
const writePath = `/v2/namespaces/${namespace}`;
const queryPath = `${writePath}/query`;
let target: ProcessTarget;
let before: NamespaceState;

beforeAll(async () => {
  target = await startOnDirectory({ 'body-bytes-max': bodyBytesMax });
  const body = {
    upsert_rows: [
      { id: 1, vector: [1, 2], color: 'red', n: 7, tags: ['a'], at: '2024-05-01T12:00:00Z' },
      { id: 2, vector: [2, 1], color: 'blue' },
    ],
    schema: { at: 'datetime' },
    distance_metric: 'cosine_distance',
  };
  expect(await send(target.url, 'POST', writePath, { body })).toMatchObject({ status: 200 });
  before = await stateOf(target.url, namespace);
  expect(before).toMatchObject({ status: 200, rows: [{ id: 1 }, { id: 2 }] });
});

afterAll(async () => {
  await target?.close();
});

interface Refused {
  readonly status: number | readonly number[];
  readonly message: RegExp;
}

async function expectRefused(
  method: string,
  path: string,
  options: Parameters<typeof send>[3],
  { status, message }: Refused,
): Promise<void> {
  await printingLogs(
    () => target,
    async () => {
      const answer = await send(target.url, method, path, options);
      expect(answer.json).toMatchObject({ status: 'error', error: expect.stringMatching(message) });
      expect([status].flat()).toContain(answer.status);
      expect(String(answer.headers['content-type'])).toMatch(/^application\/json/);
      expect(await stateOf(target.url, namespace)).toEqual(before);
      expect(await send(target.url, 'GET', '/healthz')).toMatchObject({ status: 200 });
      expect(target.processes.every((one) => one.isRunning())).toBe(true);
    },
  );
}

/** One write with good rows around the bad one: nothing of it may be applied. */
const around = (bad: string) => `{"upsert_rows":[{"id":3,"color":"a"},${bad},{"id":5,"color":"b"}]}`;
const base64 = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer).toString('base64');

describe('wrong JSON', () => {
  test.each([
    ['cut off', '{"upsert_rows":[{"id":3}', 400],
    ['no JSON at all', 'id=3', 400],
    ['nothing', '', 400],
    ['two values', '{"upsert_rows":[{"id":3}]}{}', 400],
    ['NaN as a word', '{"upsert_rows":[{"id":3,"vector":[NaN,1]}]}', 400],
    ['not UTF-8', Buffer.from('{"upsert_rows":[{"id":3,"color":"\xff\xfe"}]}', 'latin1'), 400],
    ['nested without end', `{"upsert_rows":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, [400, 422]],
    ['nested without end beside a long integer', `{"a":9007199254740993,"b":${'['.repeat(200_000)}`, 400],
  ])('%s', async (_title, body, status) => {
    await expectRefused('POST', writePath, { body }, { status, message: /json|utf-8|array|object/ });
    await expectRefused('POST', queryPath, { body }, { status: [400, 422], message: /./ });
  });
});

describe('wrong shape', () => {
  test.each([
    ['a list as body', '[]', /body: expected an object, found an array/],
    ['null as body', 'null', /body: expected an object, found null/],
    ['rows as an object', '{"upsert_rows":{"id":3}}', /upsert_rows: expected an array of rows, found an object/],
    ['a row as a number', around('4'), /upsert_rows\[1\]: expected an object, found an integer/],
    ['deletes as a number', '{"deletes":1}', /deletes: expected an array of ids/],
    ['a misspelt name', '{"upsert_row":[{"id":3}]}', /upsert_row: unknown field/],
    ['a schema as a list', '{"upsert_rows":[{"id":3}],"schema":[]}', /schema: expected an object/],
    ['a flag as a text', '{"upsert_rows":[{"id":3}],"create_namespace":"yes"}', /create_namespace: expected a boolean/],
  ])('of a write: %s is 422', async (_title, body, message) => {
    await expectRefused('POST', writePath, { body }, { status: 422, message });
  });

  test('columns that are not as long as the ids are 400', async () => {
    const body = { upsert_columns: { id: [3, 4], color: ['x'] } };
    await expectRefused(
      'POST',
      writePath,
      { body },
      { status: 400, message: /upsert_columns\.color: .*ids=2, values=1/ },
    );
  });

  test.each([
    ['no rank_by', '{}', /rank_by: expected an array/],
    ['rank_by as a text', '{"rank_by":"id"}', /rank_by: expected an array/],
    ['a limit as a text', '{"rank_by":["id","asc"],"limit":"10"}', /limit: expected an integer, found a string/],
    ['filters as an object', '{"rank_by":["id","asc"],"filters":{"id":1}}', /filters: expected a filter/],
    ['an unknown name', '{"rank_by":["id","asc"],"filter":["id","Eq",1]}', /filter: unknown field/],
    ['attributes as a text', '{"rank_by":["id","asc"],"include_attributes":"color"}', /include_attributes: expected/],
  ])('of a query: %s is 422', async (_title, body, message) => {
    await expectRefused('POST', queryPath, { body }, { status: 422, message });
  });
});

describe('vectors', () => {
  test.each([
    [
      'longer than the others of the request',
      around('{"id":4,"vector":[1,2]},{"id":6,"vector":[1,2,3]}'),
      /expected=2, found=3/,
    ],
    ['of other dimensions than the namespace', around('{"id":4,"vector":[1,2,3]}'), /vector/],
    ['in base64 of other dimensions', around(`{"id":4,"vector":"${base64(1, 2, 3)}"}`), /vector/],
    ['empty', around('{"id":4,"vector":[]}'), /vector is empty/],
    ['of half a float in base64', around('{"id":4,"vector":"AAAA"}'), /whole number of 4-byte floats/],
    ['no base64', around('{"id":4,"vector":"????????????"}'), /base64|whole number/],
    [
      'NaN in base64',
      around(`{"id":4,"vector":"${base64(1, Number.NaN)}"}`),
      /vector\[1\]: not a finite f32 \(found=NaN\)/,
    ],
    [
      'infinite in base64',
      around(`{"id":4,"vector":"${base64(Number.NEGATIVE_INFINITY, 1)}"}`),
      /vector\[0\]: not a finite f32/,
    ],
    ['beyond f32', around('{"id":4,"vector":[1,1e39]}'), /vector\[1\]: not a finite f32 \(found=Infinity\)/],
    ['beyond f64', around('{"id":4,"vector":[1e999,1]}'), /vector\[0\]: not a finite f32/],
    ['of an infinite norm', around('{"id":4,"vector":[3e38,3e38]}'), /squared norm/],
    [
      'NaN in a column',
      `{"upsert_columns":{"id":[3,4],"vector":[[1,2],"${base64(Number.NaN, 1)}"]}}`,
      /vector\[1\]\[0\]: not a finite/,
    ],
    [
      'of a length beyond the bound',
      `{"upsert_rows":[{"id":3,"vector":[${'1,'.repeat(10_752)}1]}]}`,
      /too many dimensions/,
    ],
  ])('written %s are 400', async (_title, body, message) => {
    await expectRefused('POST', writePath, { body }, { status: 400, message });
  });

  test.each([
    ['of other dimensions', '[1,2,3]', 400],
    ['empty', '[]', 400],
    ['NaN', `"${base64(Number.NaN, 1)}"`, 400],
    ['beyond f32', '[1,1e39]', 400],
    ['with a null', '[1,null]', 422],
  ])('asked for %s are refused', async (_title, vector, status) => {
    const body = `{"rank_by":["vector","ANN",${vector}]}`;
    await expectRefused('POST', queryPath, { body }, { status, message: /rank_by|vector/ });
  });
});

describe('ids', () => {
  test.each([
    ['mixed in a request', around('{"id":"x"}'), 400, /upsert_rows\[1\]\.id: ids are integers and strings mixed/],
    ['mixed with deletes', '{"upsert_rows":[{"id":3}],"deletes":["x"]}', 400, /mixed/],
    ['of another kind than the namespace has', '{"upsert_rows":[{"id":"x"}]}', 400, /id/],
    ['too long', `{"upsert_rows":[{"id":"${'x'.repeat(65)}"}]}`, 400, /too long \(bytes=65, bytesMax=64\)/],
    ['too long in bytes', `{"upsert_rows":[{"id":"${'ü'.repeat(33)}"}]}`, 400, /too long \(bytes=66/],
    ['empty', '{"upsert_rows":[{"id":""}]}', 400, /empty/],
    ['negative', around('{"id":-1}'), 400, /from 0 to 2\^64/],
    ['with a fraction', around('{"id":4.5}'), 400, /fraction/],
    ['beyond 64 bits', around('{"id":18446744073709551616}'), 400, /from 0 to 2\^64/],
    ['missing', around('{"color":"x"}'), 422, /upsert_rows\[1\]\.id: expected an id .*, found nothing/],
    ['null', around('{"id":null}'), 422, /expected an id/],
    ['a list', around('{"id":[4]}'), 422, /expected an id/],
    ['there twice', around('{"id":3}'), 400, /twice.*id=3/],
    ['written and deleted', '{"upsert_rows":[{"id":1,"color":"x"}],"deletes":[1]}', 400, /twice/],
    ['half a surrogate pair', '{"upsert_rows":[{"id":"\\ud800"}]}', 400, /surrogate/],
  ])('%s', async (_title, body, status, message) => {
    await expectRefused('POST', writePath, { body }, { status, message });
  });
});

describe('types of attributes', () => {
  test.each([
    [
      'an unknown type',
      '{"upsert_rows":[{"id":3}],"schema":{"x":"strin"}}',
      400,
      /unknown attribute type \(type=strin\)/,
    ],
    [
      'an unknown type of a known setting',
      '{"upsert_rows":[{"id":3}],"schema":{"x":{"type":"text"}}}',
      400,
      /type=text/,
    ],
    [
      'no type',
      '{"upsert_rows":[{"id":3}],"schema":{"x":{"filterable":true}}}',
      422,
      /schema\.x\.type: expected a type/,
    ],
    [
      'an unknown setting',
      '{"upsert_rows":[{"id":3}],"schema":{"x":{"type":"int","indexed":true}}}',
      422,
      /indexed: unknown/,
    ],
    ['another type than the namespace has', '{"upsert_rows":[{"id":3}],"schema":{"color":"int"}}', 400, /color/],
    ['a value of another type', around('{"id":4,"n":"seven"}'), 400, /n\b/],
    ['a list where a scalar is', around('{"id":4,"n":[1]}'), 400, /n\b/],
    [
      'types mixed in a column',
      around('{"id":4,"x":1},{"id":6,"x":"one"}'),
      400,
      /x: expected an integer as in the rows before, found a string/,
    ],
    ['a list of lists', around('{"id":4,"x":[[1]]}'), 400, /arrays of arrays/],
    ['an object', around('{"id":4,"x":{"y":1}}'), 400, /x\.y: an object is a sparse vector/],
    ['no datetime', around('{"id":4,"at":"yesterday"}'), 400, /at/],
    ['an integer beyond 64 bits', around('{"id":4,"n":18446744073709551616}'), 400, /64 bits|int/],
    ['a number beyond f64', around('{"id":4,"n":1e999}'), 400, /out of range/],
    ['a name with $', around('{"id":4,"$dist":1}'), 400, /do not begin with \$/],
    ['a name too long', around(`{"id":4,"${'n'.repeat(129)}":1}`), 400, /name is too long/],
    ['a filterable value too long', around(`{"id":4,"color":"${'x'.repeat(5_000)}"}`), [400, 413], /too (long|large)/],
  ])('%s', async (_title, body, status, message) => {
    await expectRefused('POST', writePath, { body }, { status, message });
  });

  test('a filter of another type names attribute, operator and both types', async () => {
    const body = { rank_by: ['id', 'asc'], filters: ['n', 'Gt', 'seven'] };
    const message = /attribute=n, operator=Gt, attributeType=int, valueType=string/;
    await expectRefused('POST', queryPath, { body }, { status: 400, message });
  });
});

describe('sizes', () => {
  const large = JSON.stringify({ upsert_rows: [{ id: 3, color: 'x', text: 'y'.repeat(bodyBytesMax) }] });

  test('a body past the bound is 413, whether it says its length or not', async () => {
    await expectRefused('POST', writePath, { body: large }, { status: 413, message: /too large.*bytesMax=1048576/ });
    const headers = { 'transfer-encoding': 'chunked' };
    await expectRefused('POST', writePath, { body: large, headers }, { status: 413, message: /too large/ });
  });

  test('a gzip bomb is 413 and is not inflated', async () => {
    const bomb = gzipSync(Buffer.alloc(512 << 20, 0x20), { level: 9 });
    expect(bomb.length).toBeLessThan(bodyBytesMax);
    const headers = { 'content-encoding': 'gzip' };
    const residentBefore = await residentBytes();
    await expectRefused('POST', writePath, { body: bomb, headers }, { status: 413, message: /too large/ });
    expect((await residentBytes()) - residentBefore).toBeLessThan(128 << 20);
  });

  test('bytes that are no gzip, cut off gzip, and an unknown encoding', async () => {
    const gzip = { 'content-encoding': 'gzip' };
    const body = JSON.stringify({ upsert_rows: [{ id: 3 }] });
    await expectRefused('POST', writePath, { body, headers: gzip }, { status: 400, message: /not gzip/ });
    const cut = gzipSync(body).subarray(0, 20);
    await expectRefused('POST', writePath, { body: cut, headers: gzip }, { status: 400, message: /not gzip/ });
    const headers = { 'content-encoding': 'br' };
    await expectRefused('POST', writePath, { body, headers }, { status: 415, message: /content-encoding/ });
  });

  test('a limit, a page size and a filter past their bounds', async () => {
    const limit = { rank_by: ['id', 'asc'], limit: 10_001 };
    await expectRefused('POST', queryPath, { body: limit }, { status: 400, message: /limit: must be from 1 to 10000/ });
    const path = '/v1/namespaces?page_size=1001';
    await expectRefused('GET', path, {}, { status: 400, message: /page_size/ });
    const deep = `{"rank_by":["id","asc"],"filters":${'["Not",'.repeat(100)}["n","Eq",1]${']'.repeat(100)}}`;
    await expectRefused('POST', queryPath, { body: deep }, { status: 400, message: /nested too deeply/ });
  });

  async function residentBytes(): Promise<number> {
    const { text } = await send(target.url, 'GET', '/metrics');
    return Number(/^process_resident_memory_bytes (\S+)/m.exec(text)?.[1]);
  }
});

describe('names of namespaces', () => {
  const write = { body: { upsert_rows: [{ id: 1 }] } };

  test.each([
    ['129 characters', 'n'.repeat(129), 400],
    ['a slash', 'a%2Fb', 400],
    ['a backslash', 'a%5Cb', 400],
    ['a space', 'a%20b', 400],
    ['a zero byte', 'a%00', 400],
    ['an umlaut', '%C3%BC', 400],
    ['one dot', '.', 400],
    ['two dots', '..', 400],
    ['two dots, escaped', '%2e%2e', 400],
    ['two dots and a slash', '..%2F..%2Fetc', 400],
    ['a broken escape', '%zz', 400],
    ['an escape that is not UTF-8', '%ff', 400],
    ['nothing', '', [400, 404]],
  ])('%s: every endpoint refuses it', async (_title, name, status) => {
    const refused = { status, message: /namespace name|percent encoding|no such path/ };
    await expectRefused('POST', `/v2/namespaces/${name}`, write, refused);
    await expectRefused('POST', `/v2/namespaces/${name}/query`, { body: { rank_by: ['id', 'asc'] } }, refused);
    await expectRefused('GET', `/v1/namespaces/${name}/metadata`, {}, refused);
    await expectRefused('DELETE', `/v2/namespaces/${name}`, {}, refused);
  });

  test('bytes that no URL has are 400 and end the connection, not the process', async () => {
    expect(await send(target.url, 'POST', '/v2/namespaces/ü', write)).toMatchObject({ status: 400 });
    expect(await stateOf(target.url, namespace)).toEqual(before);
  });

  test('none of them was made, and the longest good one works', async () => {
    const listed = await send(target.url, 'GET', '/v1/namespaces');
    expect(field(listed, 'namespaces')).toEqual([{ id: namespace }]);
    const longest = `${'n'.repeat(124)}-_.A`;
    expect(await send(target.url, 'POST', `/v2/namespaces/${longest}`, write)).toMatchObject({ status: 200 });
    expect(await send(target.url, 'DELETE', `/v2/namespaces/${longest}`)).toMatchObject({ status: 200 });
  });
});

describe('an absent namespace', () => {
  test.each([
    ['POST', '/v2/namespaces/absent/query', { rank_by: ['id', 'asc'] }],
    ['GET', '/v1/namespaces/absent/metadata', undefined],
    ['GET', '/v2/namespaces/absent/metadata', undefined],
    ['GET', '/v1/namespaces/absent/schema', undefined],
    ['POST', '/v1/namespaces/absent/schema', { color: 'string' }],
    ['DELETE', '/v2/namespaces/absent', undefined],
    ['POST', '/v2/namespaces/absent', { upsert_rows: [{ id: 1 }], create_namespace: false }],
  ])('%s %s is 404, and none comes into being', async (method, path, body) => {
    await expectRefused(method, path, { body }, { status: 404, message: /namespace.*absent/ });
    const listed = await send(target.url, 'GET', '/v1/namespaces?prefix=absent');
    expect(field(listed, 'namespaces')).toEqual([]);
  });

  test('a first write that is refused makes no namespace', async () => {
    const body = { upsert_rows: [{ id: 1, x: 1 }], schema: { x: 'uuid' } };
    await expectRefused('POST', '/v2/namespaces/absent', { body }, { status: 400, message: /x/ });
    expect(await stateOf(target.url, 'absent')).toMatchObject({ status: 404 });
  });
});
