import { LagoonError, noMetrics } from '@lagoon/base';
import { createLog } from '@lagoon/telemetry';
import { storeOptionsOf, storeUrlOf } from '../config/server-config.ts';
import { settingNames, settings } from '../config/settings.ts';
import type { FsckReport } from '../fsck/report.ts';
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
          'is garbage or not yet. Exits with 1 when something is missing or damaged. --repair makes a lost manifest again only where the hint or\n' +
          'the log proves what it held; stop the servers before.',
      )
      .option(
        '--repair',
        'write head hints, missing catalogue markers and lost manifests again, then verify once more',
        false,
      );
    addSettingFlags(
      command,
      settingNames.filter((name) => settings[name].group === 's3' || name === 'data-dir' || name === 'object-store'),
    );
    command.action((flags: Flags & Record<string, unknown>) => check(flags, deps));
  },
};

const progressEveryMs = 5_000;

async function check({ repair, ...flags }: Flags, deps: CommandDeps): Promise<void> {
  const values = await readSettings(flags, undefined, deps);
  const { openStore, retrying } = await import('@lagoon/object-store');
  const { fsck } = await import('../fsck/fsck.ts');
  const store = retrying(await openStore(storeUrlOf(values), deps, storeOptionsOf(values)), deps);
  try {
    let toldMs = deps.clock.monotonicMs();
    const verify = async () => {
      const report = await fsck(store, deps.stopping, ({ counts, nameCount }) => {
        if (deps.clock.monotonicMs() - toldMs < progressEveryMs) return;
        toldMs = deps.clock.monotonicMs();
        deps.printError(`${counts.names} of ${nameCount} names, ${counts.bytesRead} bytes read`);
      });
      print(report, deps);
      return report;
    };
    let report = await verify();
    if (repair) {
      const { repairStore } = await import('../fsck/repair.ts');
      const base = { ...deps, store, log: createLog({ level: 'warn', to: 'stderr' }), metrics: noMetrics };
      await repairStore(base, report, deps, deps.stopping);
      deps.print('repaired what can be; verifying again');
      report = await verify();
    }
    if (report.problems.length > 0) throw new LagoonError('corrupt', `${report.problems.length} problems remain`);
  } finally {
    await store.close();
  }
}

function print({ counts, orphans, problems }: FsckReport, deps: CommandDeps): void {
  for (const { key, problem } of problems) deps.print(`PROBLEM  ${key}: ${problem}`);
  for (const { key, size, reason } of orphans) deps.print(`orphan   ${key} (${size} bytes): ${reason}`);
  deps.print(
    `${counts.names} names, ${counts.entries} entries, ${counts.manifests} manifests, ${counts.objects} objects, ` +
      `${counts.bytesRead} bytes read: ${problems.length} problems, ${orphans.length} orphans`,
  );
}
