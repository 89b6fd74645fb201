import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';

const lagoon = resolve(import.meta.dirname, '../../bin/lagoon');

/** A `lagoon serve` of its own, on free ports of loopback; ends with the bench. */
export interface LagoonProcess extends AsyncDisposable {
  readonly url: string;
  readonly readyMs: number;
  /** Resident memory in bytes. */
  residentBytes(): number;
}

export async function startLagoon(dataDir: string, args: readonly string[] = []): Promise<LagoonProcess> {
  const [httpPort, grpcPort] = [await freePort(), await freePort()];
  const startedAt = performance.now();
  const child = spawn(
    lagoon,
    [
      'serve',
      '--data-dir',
      dataDir,
      '--http-port',
      String(httpPort),
      '--grpc-port',
      String(grpcPort),
      '--log-level',
      'warn',
      ...args,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const url = `http://127.0.0.1:${httpPort}`;
  await ready(child, url);
  const readyMs = performance.now() - startedAt;
  return {
    url,
    readyMs,
    residentBytes: () => residentBytes(child),
    [Symbol.asyncDispose]: () =>
      new Promise((done) => {
        child.on('exit', () => done());
        child.kill('SIGTERM');
      }),
  };
}

export async function runLagoon(args: readonly string[]): Promise<void> {
  const code = await new Promise<number | null>((done) => spawn(lagoon, args, { stdio: 'inherit' }).on('exit', done));
  if (code !== 0) throw new Error(`lagoon ${args[0]} ended with ${code}`);
}

async function ready(child: ChildProcess, url: string): Promise<void> {
  while (child.exitCode === null) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`lagoon serve ended with ${child.exitCode}`);
}

function residentBytes(child: ChildProcess): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}

function freePort(): Promise<number> {
  return new Promise((resolvePort, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null ? resolvePort(address.port) : reject(new Error('no port')),
      );
    });
  });
}
