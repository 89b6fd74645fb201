import type { Command, CommandDeps } from './command.ts';
import { addServerFlags, generationFlag, namespacePath, type ServerFlags } from './server-flags.ts';

interface Flags extends ServerFlags {
  readonly generation?: string;
}

/** Makes a namespace that begins as another one. */
export const branchCommand: Command = {
  declare: (program, deps) => {
    const command = program
      .command('branch')
      .argument('<source>', 'the namespace that it begins as')
      .argument('<name>', 'the new namespace; nothing may live under this name')
      .summary('make a namespace that begins as another one, at once')
      .description(
        'Costs the same whatever the source holds, and shares with it what never changes. From then on the two are\n' +
          'independent: the source may change or be deleted.',
      )
      .option('--generation <generation>', 'begin as the source was at this generation (default: its newest)');
    addServerFlags(command).action((source: string, name: string, flags: Flags) => run(source, name, flags, deps));
  },
};

async function run(source: string, name: string, flags: Flags, deps: CommandDeps): Promise<void> {
  const generation = generationFlag(flags.generation);
  const from = { source_namespace: source, ...(generation === undefined ? {} : { generation }) };
  const { askServer } = await import('../client/server-request.ts');
  const call = { method: 'POST', path: namespacePath(name), body: { branch_from_namespace: from } } as const;
  const answer = await askServer(flags, call, deps.stopping);
  deps.print(`${name} begins as ${source} at generation ${answer.source_generation}`);
}
