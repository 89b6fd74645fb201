import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/**
 * Ways to a real S3 server for tests. Each gives `undefined` where its means are missing and says on stderr why it gave up after
 * having tried.
 */
export interface S3Server {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Which way was taken, for people. */
  readonly origin: string;
  /** Stops the server where it stands, or lets it go on; undefined: somebody else runs it. */
  readonly freeze?: (isFrozen: boolean) => Promise<void>;
  stop(): Promise<void>;
}

const image = 'minio/minio:RELEASE.2025-09-07T16-13-09Z';
const module = 'github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c';
const accessKeyId = 'lagoon-test';
const secretAccessKey = 'lagoon-test-secret';
const readyPath = '/minio/health/ready';
const pullTimeoutMs = 90_000;
const readyTimeoutMs = 30_000;
const cachedBinary = fileURLToPath(new URL('../../../../.cache/bin/minio', import.meta.url));

const run = promisify(execFile);

/** A server that somebody else runs: `LAGOON_TEST_S3_ENDPOINT`, `_ACCESS_KEY` and `_SECRET_KEY`. */
export function fromEnvironment(env: NodeJS.ProcessEnv): S3Server | undefined {
  const endpoint = env.LAGOON_TEST_S3_ENDPOINT;
  if (!endpoint) return undefined;
  return {
    endpoint,
    accessKeyId: env.LAGOON_TEST_S3_ACCESS_KEY ?? accessKeyId,
    secretAccessKey: env.LAGOON_TEST_S3_SECRET_KEY ?? secretAccessKey,
    origin: `LAGOON_TEST_S3_ENDPOINT=${endpoint}`,
    stop: async () => {},
  };
}

/** A container, where a Docker engine answers: of the published image, or of one built from a binary where it cannot be pulled. */
export async function fromDocker(): Promise<S3Server | undefined> {
  const docker = await run('docker', ['info', '--format', '{{.ServerVersion}}'], { timeout: 10_000 }).catch(
    () => undefined,
  );
  if (docker === undefined || docker.stdout.trim() === '') return undefined;
  try {
    const name = (await hasImage(image)) || (await pullImage(image)) ? image : await buildImage();
    return name === undefined ? undefined : await startContainer(name);
  } catch (error) {
    say(`the container did not start, trying without Docker: ${error}`);
    return undefined;
  }
}

/** A `minio` on the path, or the one kept in `.cache/bin`. */
export async function fromBinary(env: NodeJS.ProcessEnv): Promise<S3Server | undefined> {
  const binary = findBinary(env);
  return binary === undefined ? undefined : startProcess(binary, `binary ${binary}`);
}

/** Builds `.cache/bin/minio` with Go, once. */
export async function fromGo(): Promise<S3Server | undefined> {
  return (await buildBinary())
    ? startProcess(cachedBinary, `built with go install, kept as ${cachedBinary}`)
    : undefined;
}

export function say(line: string): void {
  process.stderr.write(`test S3: ${line}\n`);
}

function findBinary(env: NodeJS.ProcessEnv): string | undefined {
  const onPath = (env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'minio'));
  return [...onPath, cachedBinary].find((path) => existsSync(path));
}

async function buildBinary(): Promise<boolean> {
  if (existsSync(cachedBinary)) return true;
  const go = await run('go', ['version'], { timeout: 10_000 }).catch(() => undefined);
  if (go === undefined) return false;
  say(`building MinIO with go install, once; this takes two to four minutes`);
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-minio-'));
  try {
    const env = { ...process.env, CGO_ENABLED: '0', GOBIN: folder };
    await run('go', ['install', '-ldflags=-s -w', module], { env, timeout: 900_000, maxBuffer: 1 << 26 });
    await mkdir(join(cachedBinary, '..'), { recursive: true });
    await copyFile(join(folder, 'minio'), cachedBinary);
    return true;
  } catch (error) {
    say(`go install failed: ${error}`);
    return false;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function hasImage(name: string): Promise<boolean> {
  return run('docker', ['image', 'inspect', name], { timeout: 10_000 }).then(
    () => true,
    () => false,
  );
}

async function pullImage(name: string): Promise<boolean> {
  try {
    await run('docker', ['pull', '--quiet', name], { timeout: pullTimeoutMs });
    return true;
  } catch {
    say(`${name} cannot be pulled, building an image from a binary`);
    return false;
  }
}

/** An image of nothing but the static binary. The classic builder: buildx may be absent, and nothing is to be fetched. */
async function buildImage(): Promise<string | undefined> {
  const name = 'lagoon-test-minio:local';
  if (await hasImage(name)) return name;
  if (!(await buildBinary())) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-image-'));
  try {
    await copyFile(cachedBinary, join(folder, 'minio'));
    await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY minio /minio\nENTRYPOINT ["/minio"]\n');
    const env = { ...process.env, DOCKER_BUILDKIT: '0' };
    await run('docker', ['build', '--quiet', '--tag', name, folder], { env, timeout: 120_000 });
    return name;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function startContainer(name: string): Promise<S3Server> {
  // The reaper is another image to pull; containers are stopped below, and by the engine's own clean-up after a crash of the run.
  process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true';
  const { GenericContainer, Wait } = await import('testcontainers');
  const container = await new GenericContainer(name)
    .withEnvironment({ MINIO_ROOT_USER: accessKeyId, MINIO_ROOT_PASSWORD: secretAccessKey })
    .withCommand(['server', '/data'])
    .withExposedPorts(9000)
    .withWaitStrategy(Wait.forHttp(readyPath, 9000))
    .withStartupTimeout(readyTimeoutMs)
    .start();
  return {
    endpoint: `http://127.0.0.1:${container.getMappedPort(9000)}`,
    accessKeyId,
    secretAccessKey,
    origin: `container of ${name}`,
    freeze: async (isFrozen) => {
      await run('docker', [isFrozen ? 'pause' : 'unpause', container.getId()]);
    },
    stop: async () => {
      await container.stop();
    },
  };
}

/** Runs the binary on a folder of its own. A shell between us ends it when this process dies in any way: its stdin closes. */
async function startProcess(binary: string, origin: string): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-test-s3-'));
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const script =
    '"$0" "$@" > /dev/null & p=$!; echo $p; cat > /dev/null; kill $p; kill -CONT $p; wait $p; rm -rf "$LAGOON_TEST_S3_FOLDER"';
  const child = spawn('sh', ['-c', script, binary, 'server', folder, '--address', `127.0.0.1:${port}`, '--quiet'], {
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      LAGOON_TEST_S3_FOLDER: folder,
      MINIO_ROOT_USER: accessKeyId,
      MINIO_ROOT_PASSWORD: secretAccessKey,
      MINIO_BROWSER: 'off',
      MINIO_UPDATE: 'off',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.unref();
  const pid = await firstNumber(child.stdout);
  const freeze = async (isFrozen: boolean): Promise<void> => void process.kill(pid, isFrozen ? 'SIGSTOP' : 'SIGCONT');
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.ref();
    child.stdin.end();
    await exited;
  };
  if (await becomesReady(endpoint)) return { endpoint, accessKeyId, secretAccessKey, origin, freeze, stop };
  await stop();
  throw new Error(`${binary} did not become ready on ${endpoint} within ${readyTimeoutMs} ms`);
}

async function firstNumber(output: Readable): Promise<number> {
  for await (const chunk of output) return Number(String(chunk));
  throw new Error('the shell did not say which process it started');
}

async function becomesReady(endpoint: string): Promise<boolean> {
  const until = Date.now() + readyTimeoutMs;
  while (Date.now() < until) {
    const answer = await fetch(endpoint + readyPath).catch(() => undefined);
    if (answer?.ok) return true;
    await sleep(50);
  }
  return false;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
