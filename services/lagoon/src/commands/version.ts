import { lagoonVersion } from '../version.ts';
import type { Command } from './command.ts';

export const versionCommand: Command = {
  declare: (program, deps) => {
    program
      .command('version')
      .summary('print the version')
      .action(() => deps.print(`lagoon ${lagoonVersion}`));
  },
};
