import { LagoonError } from '@lagoon/base';
import { storeOptionsOf } from '../config/server-config.ts';
import { settingNames, settings } from '../config/settings.ts';
import type { Command, CommandDeps } from './command.ts';
import { addSettingFlags, readSettings } from './settings-flags.ts';

interface Flags {
  readonly short?: boolean;
  readonly connections: string;
}

/** Certifies a store, or says which promise it broke. */
export const storeCheckCommand: Command = {
  declare: (program, deps) => {
    const command = program
      .command('store-check')
      .argument('<url>', 'a directory, or s3://bucket/prefix')
      .summary('find out whether a store keeps the promises that Lagoon needs')
      .description(
        'Tries racing creates, reads and lists after writes, ranges and deletes below store-check/ in the store, removes\n' +
          'what it wrote, and exits with 1 when a promise was broken.',
      )
      .option('--short', 'some 150 requests instead of some thousands', false)
      .option('--connections <count>', 'connections that race each other, 1 to 16', '4');
    addSettingFlags(
      command,
      settingNames.filter((name) => settings[name].group === 's3'),
    );
    command.action((url: string, flags: Flags & Record<string, unknown>) => check(url, flags, deps));
  },
};

async function check(url: string, { short, connections, ...flags }: Flags, deps: CommandDeps): Promise<void> {
  const count = Number(connections);
  if (!Number.isInteger(count) || count < 1 || count > 16) {
    throw new LagoonError('invalid_argument', `--connections: expected an integer from 1 to 16, not ${connections}`);
  }
  const options = storeOptionsOf(await readSettings(flags, undefined, deps));
  const { openStore, storeCheck } = await import('@lagoon/object-store');
  const stores = [];
  for (let index = 0; index < count; index++) stores.push(await openStore(url, deps, options));
  try {
    const onCheck = (name: string) => deps.printError(`checking: ${name}`);
    const report = await storeCheck(stores, deps, { form: short ? 'short' : 'full', onCheck }, deps.stopping);
    for (const { name, passed, detail } of report.checks)
      deps.print(`${passed ? 'ok    ' : 'BROKEN'}  ${name}: ${detail}`);
    deps.print(
      `${report.url}: ${report.passed ? 'keeps its word' : 'does NOT keep its word'} (${report.durationMs} ms)`,
    );
    if (!report.passed) throw new LagoonError('permission_denied', 'Lagoon must not use this store');
  } finally {
    for (const store of stores) await store.close();
  }
}
