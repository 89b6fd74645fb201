import { isLagoonError, toLagoonError } from '@lagoon/base';
import { CommanderError, Command as Program } from 'commander';
import { branchCommand } from './commands/branch.ts';
import type { Command, CommandDeps } from './commands/command.ts';
import { compileCommand } from './commands/compile.ts';
import { exportCommand } from './commands/export.ts';
import { fsckCommand } from './commands/fsck.ts';
import { gcCommand } from './commands/gc.ts';
import { importCommand } from './commands/import.ts';
import { restoreCommand } from './commands/restore.ts';
import { serveCommand } from './commands/serve.ts';
import { snapshotCommand } from './commands/snapshot.ts';
import { storeCheckCommand } from './commands/store-check.ts';
import { versionCommand } from './commands/version.ts';
import { lagoonVersion } from './version.ts';

/** One file per command. */
const commands: readonly Command[] = [
  serveCommand,
  importCommand,
  exportCommand,
  branchCommand,
  snapshotCommand,
  restoreCommand,
  storeCheckCommand,
  gcCommand,
  fsckCommand,
  versionCommand,
  compileCommand,
];

/** 0: done. 1: it could not be done. 2: the command or the configuration is wrong. */
export type ExitCode = 0 | 1 | 2;

const overview = `
Start with:
  lagoon serve --data-dir ./data

  lagoon <command> --help shows the flags of a command. Every flag of serve has an environment
  variable (LAGOON_…). docs/reference/configuration.md describes them all.
`;

/** Runs one command line; whatever goes wrong is one line on stderr. */
export async function runCli(argv: readonly string[], deps: CommandDeps): Promise<ExitCode> {
  const program = new Program('lagoon')
    .description('Lagoon: a search database whose only durable state is an object store.')
    .version(lagoonVersion, '-v, --version', 'print the version')
    .addHelpText('after', overview)
    .exitOverride()
    .configureHelp({ helpWidth: 100, showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => deps.print(text.trimEnd()),
      writeErr: (text) => deps.printError(text.trimEnd()),
      outputError: (text, write) =>
        write(text.replace(/^error: /, 'lagoon: ').replace(/\n\(Did you mean (.*)\?\)/, '; did you mean $1?')),
    });
  for (const command of commands) command.declare(program, deps);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (deps.stopping.aborted && isStop(error)) return 0;
    deps.printError(`lagoon: ${describe(error)}`);
    return isLagoonError(error, 'invalid_argument') ? 2 : 1;
  }
}

function isStop(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'AbortError';
}

/** One line, whatever the message holds. */
function describe(error: unknown): string {
  return toLagoonError(error).message.replaceAll(/\s+/g, ' ');
}
