import { LagoonError } from '@lagoon/base';
import type { Command as Program } from 'commander';

/** Flags of every command that asks a running server. */
export interface ServerFlags {
  readonly url: string;
  readonly apiKey?: string;
}

export function addServerFlags(command: Program): Program {
  return command
    .option('--url <url>', 'the server', 'http://127.0.0.1:8080')
    .option('--api-key <key>', 'sent as a bearer token');
}

export function namespacePath(namespace: string): string {
  return `/v2/namespaces/${encodeURIComponent(namespace)}`;
}

/** Undefined where the flag is not there. */
export function generationFlag(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const generation = Number(text);
  if (Number.isSafeInteger(generation) && generation > 0) return generation;
  throw new LagoonError('invalid_argument', `--generation: expected a positive integer, not ${text}`);
}
