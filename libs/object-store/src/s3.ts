import { createHash } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Readable } from 'node:stream';
import type { PutObjectCommandInput, S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { type Clock, deadlineSignal, type ErrorContext, isLagoonError, LagoonError } from '@lagoon/base';
import { piecesOf } from './byte-source.ts';
import { parseHttpDate } from './http-date.ts';
import { checkKey, checkRange, pageLimit } from './keys.ts';
import { type CreateResult, type ObjectStore, pageSizeMax, type Stamp } from './object-store.ts';
import { listedObjects, rangeHeader, readAnswer } from './s3-answers.ts';
import { describeFailure, s3Error } from './s3-errors.ts';

export interface S3StoreOptions {
  readonly bucket: string;
  /** Times out requests. */
  readonly clock: Clock;
  /** Base URL of an S3-compatible store; default AWS. */
  readonly endpoint?: string;
  /** Default: the SDK's own chain (environment, profile); `us-east-1` when an endpoint is given. */
  readonly region?: string;
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. Default: whether an endpoint is given. */
  readonly pathStyle?: boolean;
  /** Default: the SDK's own chain (environment, profile, web identity, container and instance roles). */
  readonly credentials?: S3Credentials;
  readonly encryption?: S3Encryption;
  /** Sockets kept to the store; default and least 256: below that, bursts of reads queue. */
  readonly socketCount?: number;
  /** Time for one request, body included; default 60,000. */
  readonly requestTimeoutMs?: number;
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Server-side encryption: with the store's own key, or with a key of its key service (the bucket's default key without an id). */
export type S3Encryption =
  | { readonly type: 'AES256' }
  | { readonly type: 'aws:kms'; readonly keyId?: string; readonly bucketKeyEnabled?: boolean };

const socketCountMin = 256;
const requestTimeoutDefaultMs = 60_000;
const connectionTimeoutMs = 5_000;
/** A streamed body has so much more time: a MiB per second. */
const streamedBytesPerMsMin = 1_049;
const emptyPagesMax = 1_000;

/**
 * A store in a bucket of S3 or of anything that speaks its protocol. Loads the AWS SDK at the first call, so that processes on other
 * stores never hold it in memory.
 *
 * Nothing is retried here: neither by the SDK (one attempt per verb) nor by this file. Bytes given to `put` and `create` are sent as they
 * lie and must not change before the answer. A key that the store has no room for (MinIO: `.` and `..` as components, `//`, components
 * above 255 bytes) is `invalid_argument`. `not_found` is thrown only for a missing bucket.
 */
export async function createS3Store(options: S3StoreOptions): Promise<ObjectStore> {
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client(await clientConfig(options));
  sendMd5OfDeletes(client);
  const stampOf = recordStamps(client);
  const { bucket: Bucket, clock } = options;
  const timeoutMs = options.requestTimeoutMs ?? requestTimeoutDefaultMs;
  const url = `s3://${Bucket}`;
  const encryption = encryptionInput(options.encryption);

  /** Runs one request under the timeout; failures other than the caller's abort come out as LagoonErrors. */
  const request = async <R>(
    context: ErrorContext,
    signal: AbortSignal | undefined,
    run: (abortSignal: AbortSignal) => Promise<R>,
    requestTimeoutMs = timeoutMs,
  ): Promise<R> => {
    signal?.throwIfAborted();
    using deadline = deadlineSignal(clock, requestTimeoutMs, signal);
    try {
      return await run(deadline.signal);
    } catch (error) {
      signal?.throwIfAborted();
      if (!deadline.signal.aborted) throw s3Error(error, { ...context, bucket: Bucket });
      const timedOut = { ...context, bucket: Bucket, timeoutMs: requestTimeoutMs };
      throw new LagoonError('unavailable', 'the store did not answer in time', { cause: error, context: timedOut });
    }
  };

  const send = (input: PutObjectCommandInput, abortSignal: AbortSignal) =>
    client.send(new sdk.PutObjectCommand({ ...encryption, ...input }), { abortSignal });

  const create = async (
    key: string,
    body: Partial<PutObjectCommandInput>,
    createTimeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<CreateResult> => {
    checkKey(key);
    let failed: unknown;
    const run = async (abortSignal: AbortSignal): Promise<CreateResult> => {
      try {
        const output = await send({ Bucket, Key: key, ...body, IfNoneMatch: '*' }, abortSignal);
        return { outcome: 'created', ...stampOf(output) };
      } catch (error) {
        failed = error;
        if (describeFailure(error).status === 412) return { outcome: 'exists', ...stampOfError(error) };
        throw error;
      }
    };
    try {
      return await request({ verb: 'create', key }, signal, run, createTimeoutMs);
    } catch (cause) {
      // Anything but a plain refusal may have been applied, or be applied still.
      if (!isLagoonError(cause, 'unavailable')) throw cause;
      return { outcome: 'unknown', cause, ...stampOfError(failed) };
    }
  };

  return {
    url,
    get: (key, getOptions, signal) => {
      const range = getOptions?.range;
      return request({ verb: 'get', key }, signal, async (abortSignal) => {
        checkKey(key);
        if (range !== undefined) checkRange(range);
        const stamped = (stamp: Stamp) => getOptions?.onStamp?.(stamp);
        try {
          const input = { Bucket, Key: key, ...(range === undefined ? {} : { Range: rangeHeader(range) }) };
          const output = await client.send(new sdk.GetObjectCommand(input), { abortSignal });
          stamped(stampOf(output));
          return { ...(await readAnswer(output, range, abortSignal)), ...stampOf(output) };
        } catch (error) {
          const failure = describeFailure(error);
          // By name: a 404 may also be the bucket's, or that of a proxy which knows nothing of the key.
          if (failure.status === 404 && failure.name === 'NoSuchKey') {
            stamped(stampOfError(error));
            return undefined;
          }
          if (failure.status !== 416) throw error;
          const head = await client.send(new sdk.HeadObjectCommand({ Bucket, Key: key }), { abortSignal });
          stamped(stampOf(head));
          return { bytes: new Uint8Array(0), objectSize: head.ContentLength ?? 0, ...stampOf(head) };
        }
      });
    },
    put: (key, bytes, signal) =>
      request({ verb: 'put', key }, signal, async (abortSignal) => {
        checkKey(key);
        return stampOf(await send({ Bucket, Key: key, Body: bytes }, abortSignal));
      }),
    create: (key, bytes, signal) => create(key, { Body: bytes }, timeoutMs, signal),
    createStreamed: async (key, source, signal) => {
      // The SDK does not end a request whose body fails.
      const failed = new AbortController();
      const Body = Readable.from(piecesOf(source), { objectMode: false });
      Body.on('error', (error) => failed.abort(error));
      const input = {
        Body,
        ContentLength: source.byteLength,
        ChecksumSHA256: Buffer.from(source.sha256).toString('base64'),
      };
      const linked = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
      try {
        return await create(key, input, timeoutMs + Math.ceil(source.byteLength / streamedBytesPerMsMin), linked);
      } finally {
        Body.destroy();
      }
    },
    list: (listOptions, signal) =>
      request({ verb: 'list', prefix: listOptions.prefix }, signal, async (abortSignal) => {
        const limit = pageLimit(listOptions);
        let token: string | undefined;
        for (let page = 0; page < emptyPagesMax; page++) {
          const output = await client.send(
            new sdk.ListObjectsV2Command({
              Bucket,
              Prefix: listOptions.prefix,
              MaxKeys: limit,
              EncodingType: 'url', // keys with control characters do not fit into XML
              ...(listOptions.startAfter === undefined ? {} : { StartAfter: listOptions.startAfter }),
              ...(token === undefined ? {} : { ContinuationToken: token }),
            }),
            { abortSignal },
          );
          const objects = listedObjects(output);
          const truncated = output.IsTruncated === true;
          if (objects.length > 0 || !truncated) return { objects, truncated, ...stampOf(output) };
          token = output.NextContinuationToken; // a store may answer with an empty page where many keys were deleted
        }
        throw new LagoonError('unavailable', 'the store keeps answering with empty pages');
      }),
    delete: async (keys, signal) => {
      for (const key of keys) checkKey(key);
      let stamp: Stamp = { storeTimeMs: undefined };
      for (let start = 0; start < keys.length; start += pageSizeMax) {
        const batch = keys.slice(start, start + pageSizeMax);
        stamp = await request({ verb: 'delete', count: batch.length }, signal, async (abortSignal) => {
          const Delete = { Objects: batch.map((Key) => ({ Key })), Quiet: true };
          const output = await client.send(new sdk.DeleteObjectsCommand({ Bucket, Delete }), { abortSignal });
          const refused = output.Errors?.find((error) => error.Code !== 'NoSuchKey');
          if (refused !== undefined) throw Object.assign(new Error(refused.Message), { code: refused.Code });
          return stampOf(output);
        });
      }
      return stamp;
    },
    close: async () => client.destroy(),
  };
}

const silent = { trace: () => {}, debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

async function clientConfig(options: S3StoreOptions): Promise<S3ClientConfig> {
  const { NodeHttpHandler } = await import('@smithy/node-http-handler');
  const agentOptions = { keepAlive: true, maxSockets: Math.max(options.socketCount ?? socketCountMin, socketCountMin) };
  const region = options.region ?? (options.endpoint === undefined ? undefined : 'us-east-1');
  return {
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    forcePathStyle: options.pathStyle ?? options.endpoint !== undefined,
    maxAttempts: 1,
    expectContinueHeader: false, // a round trip more, and some stores never answer it
    requestChecksumCalculation: 'WHEN_REQUIRED', // older stores refuse the trailers of the default
    responseChecksumValidation: 'WHEN_REQUIRED',
    logger: silent, // else some failures of streams are lines on stderr
    requestHandler: new NodeHttpHandler({
      httpAgent: new HttpAgent(agentOptions),
      httpsAgent: new HttpsAgent(agentOptions),
      connectionTimeout: connectionTimeoutMs,
      socketAcquisitionWarningTimeout: 0x7fffffff, // waiting for a socket is our business, not a line on stderr
    }),
  };
}

function encryptionInput(encryption: S3Encryption | undefined): Partial<PutObjectCommandInput> {
  if (encryption === undefined) return {};
  if (encryption.type === 'AES256') return { ServerSideEncryption: 'AES256' };
  return {
    ServerSideEncryption: 'aws:kms',
    ...(encryption.keyId === undefined ? {} : { SSEKMSKeyId: encryption.keyId }),
    ...(encryption.bucketKeyEnabled === undefined ? {} : { BucketKeyEnabled: encryption.bucketKeyEnabled }),
  };
}

/** Remembers the `Date` header of every answer of the client; the result reads it back from the answer. */
function recordStamps(client: S3Client): (output: object) => Stamp {
  const times = new WeakMap<object, number>();
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const time = parseHttpDate(describeFailure({ $response: result.response }).headers.date);
      if (time !== undefined && result.output !== undefined) times.set(result.output, time);
      return result;
    },
    { step: 'deserialize', priority: 'high', name: 'recordStamps' },
  );
  return (output) => ({ storeTimeMs: times.get(output) });
}

function stampOfError(error: unknown): Stamp {
  return { storeTimeMs: parseHttpDate(describeFailure(error).headers.date) };
}

/** Stores older than the SDK's checksums ask for the MD5 of a delete request, and newer ones take it too. */
function sendMd5OfDeletes(client: S3Client): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const request = args.request as { headers: Record<string, string>; body?: unknown };
      if (context.commandName === 'DeleteObjectsCommand' && typeof request.body === 'string') {
        for (const name of Object.keys(request.headers)) {
          if (/^x-amz-(sdk-)?checksum/i.test(name)) delete request.headers[name];
        }
        request.headers['content-md5'] = createHash('md5').update(request.body).digest('base64');
      }
      return next(args);
    },
    { step: 'build', priority: 'low', name: 'sendMd5OfDeletes' },
  );
}
