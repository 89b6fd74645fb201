import { LagoonError } from '@lagoon/base';
import type { Command, CommandDeps } from './command.ts';
import { addServerFlags, generationFlag, namespacePath, type ServerFlags } from './server-flags.ts';

interface Flags extends ServerFlags {
  readonly snapshot?: string;
  readonly generation?: string;
  readonly into?: string;
}

/** Brings a namespace back as it was. */
export const restoreCommand: Command = {
  declare: (program, deps) => {
    const command = program
      .command('restore')
      .argument('<namespace>', 'the namespace that was, or still is')
      .summary('bring a namespace back as a snapshot or a generation of it was')
      .description('Under its own name, once it is deleted, or under another one. Costs the same whatever it holds.')
      .option('--snapshot <name>', 'the snapshot')
      .option('--generation <generation>', 'a generation that is still retained')
      .option('--into <name>', 'the name that it gets (default: its own)');
    addServerFlags(command).action((namespace: string, flags: Flags) => run(namespace, flags, deps));
  },
};

async function run(namespace: string, flags: Flags, deps: CommandDeps): Promise<void> {
  const generation = generationFlag(flags.generation);
  if ((flags.snapshot === undefined) === (generation === undefined)) {
    throw new LagoonError('invalid_argument', 'either --snapshot or --generation is needed');
  }
  const body = {
    ...(flags.snapshot === undefined ? { generation } : { snapshot: flags.snapshot }),
    ...(flags.into === undefined ? {} : { into: flags.into }),
  };
  const { askServer } = await import('../client/server-request.ts');
  const call = { method: 'POST', path: `${namespacePath(namespace)}/restore`, body } as const;
  const answer = await askServer(flags, call, deps.stopping);
  deps.print(`${answer.namespace} is ${namespace} as at generation ${answer.source_generation}`);
}
