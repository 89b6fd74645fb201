import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { waitUntil } from './wait-until.ts';

const launcher = fileURLToPath(new URL('../../bin/lagoon', import.meta.url));
const startTimeoutMs = 30_000;
const stopTimeoutMs = 30_000;
/** The end of a process's output that is kept for the message of a failure. */
const logCharactersMax = 200_000;

export interface LagoonProcess {
  readonly pid: number;
  /** `http://127.0.0.1:port`, once ready. */
  readonly url: string;
  /** `127.0.0.1:port`, once ready. */
  readonly grpcAddress: string;
  readonly logs: () => string;
  readonly isRunning: () => boolean;
  signal(name: 'SIGTERM' | 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  /** Resolves when the process has ended: its exit code, or the signal that ended it. Rejects after 30 s. */
  ended(): Promise<number | string>;
  /** Ends it if it still runs, politely first. */
  close(): Promise<void>;
}

export interface LagoonProcessOptions {
  /** Program and arguments in front of the launcher, such as `unshare …`; must replace itself by the command (exec). */
  readonly wrapper?: readonly string[];
}

export type Flags = Readonly<Record<string, string | number | boolean>>;

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** `bin/lagoon serve` with these flags on free ports. Resolves when it is ready; rejects with its output when it ends before. */
export async function startLagoon(flags: Flags, options: LagoonProcessOptions = {}): Promise<LagoonProcess> {
  const started = spawnLagoon(flags, options);
  const isUp = () => started.readyLine() !== undefined || !started.process.isRunning();
  try {
    await waitUntil('lagoon is ready', startTimeoutMs, isUp);
    if (started.readyLine() === undefined) throw new Error(`lagoon ended with ${await started.process.ended()}`);
  } catch (error) {
    await started.process.close();
    throw new Error(`${error}\n${started.process.logs()}`);
  }
  return started.process;
}

/** The same for a start that is expected to fail, or to take its time: resolves at once. */
export function beginLagoon(flags: Flags, options: LagoonProcessOptions = {}): LagoonProcess {
  return spawnLagoon(flags, options).process;
}

function spawnLagoon(flags: Flags, options: LagoonProcessOptions) {
  const settings = { 'http-port': 0, 'grpc-port': 0, 'worker-count': 1, 'cache-bytes': '128MiB', ...flags };
  const argv = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const [program = launcher, ...rest] = [...(options.wrapper ?? []), launcher, 'serve', ...argv];
  const child = spawn(program, rest, {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let logs = '';
  let ready: { readonly http: string; readonly grpc: string } | undefined;
  const collect = (chunk: unknown) => {
    logs = (logs + String(chunk)).slice(-logCharactersMax);
    ready ??= readyLineOf(logs);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const ended = Promise.withResolvers<number | string>();
  ended.promise.catch(() => {});
  child.once('error', (error) => ended.reject(error));
  child.once('close', (code, signal) => {
    running.delete(child);
    ended.resolve(code ?? signal ?? 'unknown');
  });
  const isRunning = () => running.has(child);
  return {
    readyLine: () => ready,
    process: handleOf(
      child,
      () => ready,
      () => logs,
      isRunning,
      ended.promise,
    ),
  };
}

function handleOf(
  child: ChildProcess,
  ready: () => { readonly http: string; readonly grpc: string } | undefined,
  logs: () => string,
  isRunning: () => boolean,
  whenEnded: Promise<number | string>,
): LagoonProcess {
  const ended = async () => {
    await waitUntil(`process ${child.pid} ends; its output:\n${logs()}`, stopTimeoutMs, () => !isRunning());
    return await whenEnded;
  };
  const needReady = () => {
    const line = ready();
    if (line === undefined) throw new Error(`lagoon is not ready:\n${logs()}`);
    return line;
  };
  return {
    pid: child.pid ?? 0,
    get url() {
      return `http://${needReady().http}`;
    },
    get grpcAddress() {
      return needReady().grpc;
    },
    logs,
    isRunning,
    signal: (name) => {
      child.kill(name);
    },
    ended,
    close: async () => {
      if (!isRunning()) return;
      child.kill('SIGCONT');
      child.kill('SIGTERM');
      await ended().catch(() => {
        child.kill('SIGKILL');
        return whenEnded;
      });
    },
  };
}

function readyLineOf(logs: string): { readonly http: string; readonly grpc: string } | undefined {
  const line = logs.split('\n').find((candidate) => candidate.includes('"msg":"ready"') && candidate.endsWith('}'));
  return line === undefined ? undefined : JSON.parse(line);
}
