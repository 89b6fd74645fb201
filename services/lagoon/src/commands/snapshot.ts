import type { Command, CommandDeps } from './command.ts';
import { addServerFlags, generationFlag, namespacePath, type ServerFlags } from './server-flags.ts';

interface Flags extends ServerFlags {
  readonly generation?: string;
  readonly list: boolean;
  readonly delete: boolean;
}

interface SnapshotJson {
  readonly name: string;
  readonly manifest_generation: number;
  readonly created_at: string;
}

/** Takes, lists and deletes snapshots. */
export const snapshotCommand: Command = {
  declare: (program, deps) => {
    const command = program
      .command('snapshot')
      .argument('<namespace>', 'the namespace')
      .argument('[name]', 'the name of the snapshot')
      .summary('keep a namespace as it is now under a name; list such snapshots, or delete one')
      .description(
        'A snapshot costs nothing until its namespace changes, stays when the namespace is deleted, and is brought back by\n' +
          'lagoon restore. Without a name the snapshots are listed.',
      )
      .option('--generation <generation>', 'as it was at this generation (default: its newest)')
      .option('--list', 'list the snapshots', false)
      .option('--delete', 'delete the snapshot', false);
    addServerFlags(command).action((namespace: string, name: string | undefined, flags: Flags) =>
      run(namespace, name, flags, deps),
    );
  },
};

async function run(namespace: string, name: string | undefined, flags: Flags, deps: CommandDeps): Promise<void> {
  const path = `${namespacePath(namespace)}/snapshots`;
  const { askServer } = await import('../client/server-request.ts');
  if (name === undefined || flags.list) {
    const { snapshots } = await askServer(flags, { method: 'GET', path }, deps.stopping);
    for (const snapshot of snapshots as SnapshotJson[]) deps.print(describe(snapshot));
    return;
  }
  if (flags.delete) {
    await askServer(flags, { method: 'DELETE', path: `${path}/${encodeURIComponent(name)}` }, deps.stopping);
    deps.print(`${name} is deleted`);
    return;
  }
  const generation = generationFlag(flags.generation);
  const body = { name, ...(generation === undefined ? {} : { generation }) };
  const { snapshot } = await askServer(flags, { method: 'POST', path, body }, deps.stopping);
  deps.print(describe(snapshot as SnapshotJson));
}

function describe({ name, manifest_generation, created_at }: SnapshotJson): string {
  return `${name}  generation ${manifest_generation}  ${created_at}`;
}
