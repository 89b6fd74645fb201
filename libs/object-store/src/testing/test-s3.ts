import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fromBinary, fromDocker, fromEnvironment, fromGo, type S3Server, say } from './s3-servers.ts';

/** A real S3 server for tests. */
export interface TestS3 {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Which way it was had, for people. */
  readonly origin: string;
  /** Stops the server where it stands, or lets it go on; undefined: others share it. */
  readonly freeze?: (isFrozen: boolean) => Promise<void>;
  /** A new bucket of the caller's own; its name. */
  createBucket(): Promise<string>;
  /** Stops the server when this call started it; one that is shared stays. */
  stop(): Promise<void>;
}

const brokerVariable = 'LAGOON_TEST_S3_BROKER';

/**
 * A server taken in this order: the one that the whole test run shares (see `shareTestS3`), `LAGOON_TEST_S3_ENDPOINT` (with
 * `_ACCESS_KEY` and `_SECRET_KEY`), a container, a `minio` binary, one built with Go. Says on stderr which way was taken.
 * Throws an error that says how to get one when there is none; never skips.
 */
export async function startTestS3(): Promise<TestS3> {
  const server = (await fromBroker(process.env[brokerVariable])) ?? (await startServer());
  return { ...server, createBucket: () => createBucket(server) };
}

/**
 * Lets all workers of a test run share one server, which starts when the first of them asks. Call it in the run's global set-up, and
 * `stop` in its tear-down.
 */
export async function shareTestS3(): Promise<{ stop(): Promise<void> }> {
  let started: Promise<S3Server> | undefined;
  const broker = createServer((_request, response) => {
    started ??= startServer();
    started.then(
      ({ endpoint, accessKeyId, secretAccessKey, origin }) => {
        response.end(JSON.stringify({ endpoint, accessKeyId, secretAccessKey, origin }));
      },
      (error) => response.writeHead(500).end(String(error instanceof Error ? error.message : error)),
    );
  });
  await new Promise<void>((resolve) => broker.listen(0, '127.0.0.1', resolve));
  process.env[brokerVariable] = `http://127.0.0.1:${(broker.address() as AddressInfo).port}`;
  return {
    stop: async () => {
      delete process.env[brokerVariable];
      broker.close();
      broker.closeAllConnections();
      await started?.then(
        (server) => server.stop(),
        () => {},
      );
    },
  };
}

async function fromBroker(url: string | undefined): Promise<S3Server | undefined> {
  if (url === undefined) return undefined;
  const answer = await fetch(url);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return { ...(JSON.parse(text) as Omit<S3Server, 'stop'>), stop: async () => {} };
}

async function startServer(): Promise<S3Server> {
  const ways = [() => fromEnvironment(process.env), () => fromDocker(), () => fromBinary(process.env), () => fromGo()];
  for (const way of ways) {
    const server = await way();
    if (server === undefined) continue;
    say(`${server.endpoint}, ${server.origin}`);
    return server;
  }
  throw new Error(
    'the S3 tests need a real S3 server and found none. Any one of these will do: a Docker engine that answers `docker info`; ' +
      'a `minio` binary on the PATH or as .cache/bin/minio; Go, to build one; ' +
      'or LAGOON_TEST_S3_ENDPOINT with LAGOON_TEST_S3_ACCESS_KEY and LAGOON_TEST_S3_SECRET_KEY.',
  );
}

async function createBucket(server: S3Server): Promise<string> {
  const { CreateBucketCommand, S3Client } = await import('@aws-sdk/client-s3');
  const client = new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
  });
  try {
    const bucket = `lagoon-${randomUUID()}`;
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    return bucket;
  } finally {
    client.destroy();
  }
}
