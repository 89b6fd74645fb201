import { LagoonError, noMetrics } from '@lagoon/base';
import { createLog } from '@lagoon/telemetry';
import { storeOptionsOf, storeUrlOf } from '../config/server-config.ts';
import { settingNames, settings } from '../config/settings.ts';
import type { LivingName } from '../fsck/report.ts';
import type { Command, CommandDeps } from './command.ts';
import { addSettingFlags, readSettings } from './settings-flags.ts';

interface Flags {
  readonly repair?: boolean;
}

/** Verifies everything that lies in a store, or says what is wrong. */
export const fsckCommand: Command = {
  declare: (program, deps) => {
    const command = program
      .command('fsck')
      .summary('verify everything that lies in a store')
      .description(
        'Reads everything from the roots: chains, checksums, hashes, row accounting. Lists what nothing leads to, and why it\n' +
          'is garbage or not yet. Exits with 1 when something is missing or damaged.',
      )
      .option('--repair', 'write head hints and missing catalogue markers again', false);
    addSettingFlags(
      command,
      settingNames.filter((name) => settings[name].group === 's3' || name === 'data-dir' || name === 'object-store'),
    );
    command.action((flags: Flags & Record<string, unknown>) => check(flags, deps));
  },
};

async function check({ repair, ...flags }: Flags, deps: CommandDeps): Promise<void> {
  const values = await readSettings(flags, undefined, deps);
  const { openStore, retrying } = await import('@lagoon/object-store');
  const { catalogKey, createNamespaceLog } = await import('@lagoon/namespace');
  const { fsck } = await import('../fsck/fsck.ts');
  const store = retrying(await openStore(storeUrlOf(values), deps, storeOptionsOf(values)), deps);
  try {
    const { counts, living, orphans, problems } = await fsck(store, deps.stopping);
    for (const { key, problem } of problems) deps.print(`PROBLEM  ${key}: ${problem}`);
    for (const { key, size, reason } of orphans) deps.print(`orphan   ${key} (${size} bytes): ${reason}`);
    deps.print(
      `${counts.names} names, ${counts.entries} entries, ${counts.manifests} manifests, ${counts.objects} objects, ` +
        `${counts.bytesRead} bytes read: ${problems.length} problems, ${orphans.length} orphans`,
    );
    let mendedCount = 0;
    if (repair) {
      const { clock, random } = deps;
      const log = createLog({ level: 'warn', to: 'stderr' });
      const namespaceLog = createNamespaceLog({ store, clock, random, log, metrics: noMetrics });
      const mend = async ({ name, incarnation, isListed }: LivingName) => {
        if (!isListed) await store.put(catalogKey(name, incarnation), new Uint8Array(0), deps.stopping);
        const { view } = await namespaceLog.open(name, deps.stopping);
        await namespaceLog.writeHint(view, deps.stopping);
        if (!isListed) mendedCount++;
      };
      for (const one of living) await mendOne(deps, one, mend);
      deps.print(`repaired: ${living.length} hints written, ${mendedCount} catalogue markers restored`);
    }
    // A manifest's body cannot be made again from segments alone: which of their rows died is written in it, or named by it.
    if (problems.length > mendedCount)
      throw new LagoonError('corrupt', `${problems.length - mendedCount} problems remain`);
  } finally {
    await store.close();
  }
}

async function mendOne(deps: CommandDeps, one: LivingName, mend: (one: LivingName) => Promise<void>): Promise<void> {
  try {
    await mend(one);
  } catch (error) {
    deps.printError(`${one.name} cannot be repaired: ${error instanceof Error ? error.message : String(error)}`);
  }
}
