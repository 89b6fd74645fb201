import type { Clock, Random } from '@lagoon/base';
import type { Command as Program } from 'commander';

/** What `main.ts` hands to a command: the only way to the outside. */
export interface CommandDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly environment: Readonly<Record<string, string | undefined>>;
  print(line: string): void;
  /** For people, beside the answer: progress and warnings. */
  printError(line: string): void;
  /** Aborts at the first SIGTERM or SIGINT. */
  readonly stopping: AbortSignal;
}

/** One command of the binary; `declare` adds it, with its flags and its action, to the program. */
export interface Command {
  declare(program: Program, deps: CommandDeps): void;
}
