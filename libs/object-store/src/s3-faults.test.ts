import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createSystemClock } from '@lagoon/base';
import type { ObjectStore } from './object-store.ts';
import { createS3Store, type S3Encryption } from './s3.ts';

// A server of the test's own that gives the answers that a real one gives only on a bad day.

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let answer: Answer;
let requests: IncomingMessage[];
let store: ObjectStore;

const open = (options: { encryption?: S3Encryption; requestTimeoutMs?: number } = {}) =>
  createS3Store({
    bucket: 'bucket',
    clock: createSystemClock(),
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    ...options,
  });

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(request);
    request.on('data', () => {});
    request.on('end', () => answer(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  store = await open();
});
afterAll(async () => {
  await store.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
  requests = [];
});

const date = 'Sun, 06 Nov 1994 08:49:37 GMT';
const dateMs = 784_111_777_000;
const body = new TextEncoder().encode('body');

function status(code: number, name = 'Error'): Answer {
  return (_, response) => {
    response.writeHead(code, { date, 'content-type': 'application/xml' });
    response.end(`<?xml version="1.0"?><Error><Code>${name}</Code><Message>why</Message></Error>`);
  };
}
const reset: Answer = (request) => request.socket.destroy();

describe('S3 store against a server on a bad day', () => {
  test('a conditional create is sent once, with the condition and a whole body', async () => {
    answer = (_, response) => response.writeHead(200, { date }).end();
    expect(await store.create('a/b', body)).toEqual({ outcome: 'created', storeTimeMs: dateMs });
    expect(requests.map((request) => [request.method, request.url])).toEqual([['PUT', '/bucket/a/b?x-id=PutObject']]);
    const { headers } = requests[0] as IncomingMessage;
    expect([headers['if-none-match'], headers['content-length'], headers.expect]).toEqual(['*', '4', undefined]);
    expect(Object.keys(headers).filter((name) => /checksum|trailer/.test(name))).toEqual([]);
  });

  test('what a create comes to: 412 is lost; anything unclear is unknown; a plain refusal is thrown; each after one request', async () => {
    const cases: Array<readonly [Answer, string]> = [
      [status(412, 'PreconditionFailed'), 'exists'],
      [status(409, 'ConditionalRequestConflict'), 'unknown'],
      [status(404, 'NoSuchKey'), 'unknown'],
      [status(500, 'InternalError'), 'unknown'],
      [status(503, 'SlowDown'), 'unknown'],
      [status(400, 'RequestTimeout'), 'unknown'],
      [reset, 'unknown'],
      [status(403, 'AccessDenied'), 'permission_denied'],
      [status(404, 'NoSuchBucket'), 'not_found'],
      [status(400, 'InvalidArgument'), 'invalid_argument'],
      [status(501, 'NotImplemented'), 'unimplemented'],
      [status(507, 'XMinioStorageFull'), 'resource_exhausted'],
    ];
    for (const [given, expected] of cases) {
      answer = given;
      requests = [];
      const outcome = await store.create('key', body).then(
        (result) => result.outcome,
        (error: { code: string }) => error.code,
      );
      expect([expected, outcome, requests.length]).toEqual([expected, expected, 1]);
    }
  });

  test('other verbs are sent once too, and what may pass is unavailable', async () => {
    const calls = [
      () => store.get('key'),
      () => store.put('key', body),
      () => store.list({ prefix: '' }),
      () => store.delete(['key']),
    ];
    for (const given of [
      status(503, 'SlowDown'),
      status(500, 'InternalError'),
      status(429, 'TooManyRequests'),
      reset,
    ]) {
      for (const call of calls) {
        answer = given;
        requests = [];
        await expect(call()).rejects.toMatchObject({ code: 'unavailable' });
        expect(requests).toHaveLength(1);
      }
    }
  });

  test('an absent key is a value; an absent bucket or route is not taken for one', async () => {
    answer = status(404, 'NoSuchKey');
    let stampMs: number | undefined;
    const onStamp = (stamp: { storeTimeMs: number | undefined }) => {
      stampMs = stamp.storeTimeMs;
    };
    expect(await store.get('key', { onStamp })).toBeUndefined();
    expect(stampMs).toBe(dateMs);
    answer = status(404, 'NoSuchBucket');
    await expect(store.get('key')).rejects.toMatchObject({ code: 'not_found', context: { bucket: 'bucket' } });
    answer = (_, response) => response.writeHead(404).end('<html>not here</html>');
    await expect(store.get('key')).rejects.toThrow();
  });

  test('a body cut short is unavailable, a range that was not asked is refused', async () => {
    answer = (request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('only this');
      setImmediate(() => request.socket.destroy());
    };
    await expect(store.get('key')).rejects.toMatchObject({ code: 'unavailable' });
    answer = (_, response) => response.writeHead(200, { 'content-length': '10' }).end('0123456789');
    await expect(store.get('key', { range: { start: 2, end: 4 } })).rejects.toMatchObject({ code: 'unimplemented' });
    expect((await store.get('key', { range: { start: 0, end: 10 } }))?.bytes.byteLength).toBe(10);
  });

  test('no answer in time is unavailable, for a create unknown; an abort is the caller’s own reason', async () => {
    const hasty = await open({ requestTimeoutMs: 50 });
    answer = () => {};
    await expect(hasty.get('key')).rejects.toMatchObject({ code: 'unavailable', context: { timeoutMs: 50 } });
    expect(await hasty.create('key', body)).toMatchObject({ outcome: 'unknown' });
    await hasty.close();
    const controller = new AbortController();
    const reason = new Error('gone');
    answer = () => controller.abort(reason);
    await expect(store.create('key', body, controller.signal)).rejects.toBe(reason);
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('begun');
      setImmediate(() => second.abort(reason));
    };
    const second = new AbortController();
    await expect(store.get('key', {}, second.signal)).rejects.toBe(reason);
  });

  test('encryption is asked for as configured', async () => {
    const cases: Array<readonly [S3Encryption, ReadonlyArray<string | undefined>]> = [
      [{ type: 'AES256' }, ['AES256', undefined]],
      [{ type: 'aws:kms' }, ['aws:kms', undefined]],
      [{ type: 'aws:kms', keyId: 'a-key' }, ['aws:kms', 'a-key']],
    ];
    for (const [encryption, expected] of cases) {
      const encrypted = await open({ encryption });
      answer = (_, response) => response.writeHead(200).end();
      requests = [];
      await encrypted.put('key', body);
      await encrypted.create('key', body);
      for (const { headers } of requests) {
        const key = headers['x-amz-server-side-encryption-aws-kms-key-id'];
        expect([headers['x-amz-server-side-encryption'], key]).toEqual(expected);
      }
      await encrypted.close();
    }
  });

  test('a delete carries the MD5 that older stores ask for; a key that could not be deleted is an error', async () => {
    answer = (_, response) => response.writeHead(200).end('<DeleteResult></DeleteResult>');
    await store.delete(['a', 'b']);
    expect(requests[0]?.headers['content-md5']).toMatch(/^[A-Za-z0-9+/]{22}==$/);
    for (const [name, code] of [
      ['InternalError', 'unavailable'],
      ['AccessDenied', 'permission_denied'],
    ]) {
      answer = (_, response) =>
        response
          .writeHead(200)
          .end(`<DeleteResult><Error><Key>b</Key><Code>${name}</Code><Message>x</Message></Error></DeleteResult>`);
      await expect(store.delete(['a', 'b'])).rejects.toMatchObject({ code });
    }
  });

  test('128 reads at once are on the wire at once', async () => {
    const waiting: Array<() => void> = [];
    answer = (_, response) => {
      waiting.push(() => response.writeHead(200, { 'content-length': '1' }).end('x'));
      if (waiting.length === 128) for (const go of waiting) go();
    };
    const reads = await Promise.all(Array.from({ length: 128 }, (_, i) => store.get(`key ${i}`)));
    expect(reads.every((object) => object?.objectSize === 1)).toBe(true);
  });
});
