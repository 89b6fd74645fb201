import { accessSync } from 'node:fs';
import type { Clock } from '@lagoon/base';
import { send } from '../support/http.ts';
import { beginLagoon, type Flags, type LagoonProcess } from '../support/lagoon-process.ts';
import { waitUntil } from '../support/wait-until.ts';

export const roleNames = ['gateway', 'ingester', 'query', 'compactor'] as const;
export type RoleName = (typeof roleNames)[number];

/** One role in a process of its own, on ports that it keeps over restarts. One deed at a time. */
export interface Member {
  readonly name: string;
  readonly role: RoleName;
  readonly httpUrl: string;
  readonly grpcAddress: string;
  /** Nobody has it stopped, killed or on its way up. */
  readonly isUp: () => boolean;
  /** Ends of its process that nobody asked for. */
  readonly ownEnds: readonly string[];
  readonly logs: () => string;
  start(): Promise<void>;
  /** Ends the process by the signal, waits, and starts another one; resolves when that is ready. */
  restart(signal: 'SIGKILL' | 'SIGTERM', downMs: number, calm: AbortSignal): Promise<void>;
  /** SIGSTOP, a while, then SIGCONT; or the death of the stopped process and another one. */
  pause(durationMs: number, isKilled: boolean, calm: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface MemberOptions {
  readonly name: string;
  readonly role: RoleName;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly flags: Flags;
}

const readyTimeoutMs = 60_000;
const logCharactersMax = 20_000;

export function createMember(clock: Clock, options: MemberOptions): Member {
  const { name, role, httpPort, grpcPort } = options;
  const httpUrl = `http://127.0.0.1:${httpPort}`;
  const flags = { ...options.flags, roles: role, 'http-port': httpPort, 'grpc-port': grpcPort };
  const ownEnds: string[] = [];
  let current: LagoonProcess | undefined;
  /** Processes whose end was asked for. */
  const ended = new WeakSet<LagoonProcess>();
  let isBusy = true;
  let earlierLogs = '';
  let watching = Promise.resolve();

  const begin = (): void => {
    const begun = beginLagoon(flags, { wrapper: endingWithParent });
    current = begun;
    watching = watch(begun).catch((error: unknown) => void ownEnds.push(`${name}: ${error}`));
  };
  /** Notes an end that is none of ours. */
  const watch = async (watched: LagoonProcess): Promise<void> => {
    while (watched.isRunning()) await clock.sleep(100);
    earlierLogs = (earlierLogs + watched.logs()).slice(-logCharactersMax);
    if (!ended.has(watched)) ownEnds.push(`${name} ended by itself with ${await watched.ended()}`);
  };
  const ready = (): Promise<void> =>
    waitUntil(`${name} is ready`, readyTimeoutMs, async () => {
      if (current?.isRunning() !== true) throw new Error(`${name} has ended:\n${current?.logs()}`);
      return await send(httpUrl, 'GET', '/readyz', { timeoutMs: 2_000 }).then(
        ({ status }) => status === 200,
        () => false,
      );
    });
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    if (current === undefined) return;
    ended.add(current);
    current.signal(signal);
    const how = await current.ended();
    if (signal === 'SIGTERM' && how !== 0) ownEnds.push(`${name} ended with ${how} at SIGTERM`);
  };
  const exclusively = async (deed: () => Promise<void>): Promise<void> => {
    isBusy = true;
    try {
      await deed();
    } finally {
      isBusy = false;
    }
  };
  const downFor = async (downMs: number, calm: AbortSignal): Promise<void> => {
    await sleepUntilCalm(clock, downMs, calm);
    begin();
    await ready();
  };

  return {
    name,
    role,
    httpUrl,
    grpcAddress: `127.0.0.1:${grpcPort}`,
    isUp: () => !isBusy,
    ownEnds,
    logs: () => `--- ${name}\n${earlierLogs}\n${current?.logs().slice(-logCharactersMax) ?? ''}`,
    start: () =>
      exclusively(async () => {
        begin();
        await ready();
      }),
    restart: (signal, downMs, calm) =>
      exclusively(async () => {
        await end(signal);
        await downFor(downMs, calm);
      }),
    pause: (durationMs, isKilled, calm) =>
      exclusively(async () => {
        current?.signal('SIGSTOP');
        await sleepUntilCalm(clock, durationMs, calm);
        if (!isKilled) {
          current?.signal('SIGCONT');
          return;
        }
        await end('SIGKILL');
        await downFor(0, calm);
      }),
    close: async () => {
      await end('SIGKILL');
      await watching;
    },
  };
}

/** Shorter when `calm` aborts. */
export async function sleepUntilCalm(clock: Clock, durationMs: number, calm: AbortSignal): Promise<void> {
  await clock.sleep(durationMs, calm).catch(() => {});
}

/** On Linux the kernel ends a member with the test that started it, even one killed by -9; elsewhere only an orderly end does. */
const endingWithParent: readonly string[] = hasSetpriv() ? ['setpriv', '--pdeathsig', 'KILL'] : [];

function hasSetpriv(): boolean {
  try {
    accessSync('/usr/bin/setpriv');
    return process.platform === 'linux';
  } catch {
    return false;
  }
}
