import { invalidArgument, LagoonError, noMetrics } from '@lagoon/base';
import type { GcReport, Tally } from '@lagoon/compactor';
import { createLog } from '@lagoon/telemetry';
import { gcConfigOf, storeOptionsOf, storeUrlOf } from '../config/server-config.ts';
import { settingNames, settings } from '../config/settings.ts';
import type { Command, CommandDeps } from './command.ts';
import { addSettingFlags, readSettings } from './settings-flags.ts';

interface Flags {
  readonly dryRun?: boolean;
  readonly once?: boolean;
}

/** Collects garbage by hand, or says what there is. */
export const gcCommand: Command = {
  declare: (program, deps) => {
    const command = program
      .command('gc')
      .summary('collect garbage, or say what there is')
      .description(
        'Deletes what nothing needs any more, as the compactor does by itself. Two passes must have seen it, a grace apart:\n' +
          'so this goes on until nothing is left, for hours where there is much retained. Safe beside running servers.',
      )
      .option('--dry-run', 'say what is garbage and what is not yet, and change nothing', false)
      .option('--once', 'one pass: raises floors and revokes jobs, deletes nothing yet', false);
    addSettingFlags(
      command,
      settingNames.filter((name) => settings[name].group === 's3' || isOwn(name)),
    );
    command.action((flags: Flags & Record<string, unknown>) => collect(flags, deps));
  },
};

function isOwn(name: string): boolean {
  return name === 'data-dir' || name === 'object-store' || name.startsWith('gc-');
}

async function collect({ dryRun, once, ...flags }: Flags, deps: CommandDeps): Promise<void> {
  if (dryRun && once) throw invalidArgument('--dry-run is one pass by itself: leave --once out');
  const values = await readSettings(flags, undefined, deps);
  const { createGcJob, resolveGcConfig } = await import('@lagoon/compactor');
  const { openStore, retrying } = await import('@lagoon/object-store');
  const { createNamespaceLog } = await import('@lagoon/namespace');
  const config = resolveGcConfig(gcConfigOf(values));
  const store = retrying(await openStore(storeUrlOf(values), deps, storeOptionsOf(values)), deps);
  try {
    const { clock, random } = deps;
    const base = { store, clock, random, log: createLog({ level: 'warn', to: 'stderr' }), metrics: noMetrics };
    const job = createGcJob({ ...base, namespaceLog: createNamespaceLog(base) }, config);
    let failureCount = 0;
    for (let passCount = 1; ; passCount++) {
      const report = await job.run({ dryRun: dryRun === true }, deps.stopping);
      failureCount = report.failures.length;
      print(report, dryRun === true, deps);
      if (dryRun || once || job.isSettled) break;
      deps.printError(`pass ${passCount} done; the next one in ${Math.round(config.intervalMs / 1000)} s`);
      await clock.sleep(config.intervalMs, deps.stopping);
    }
    if (failureCount > 0) throw new LagoonError('corrupt', `${failureCount} families or namespaces were left alone`);
  } finally {
    await store.close();
  }
}

function print(report: GcReport, dryRun: boolean, deps: CommandDeps): void {
  const section = (title: string, tallies: ReadonlyMap<string, Tally>) => {
    if (tallies.size === 0) return;
    deps.print(title);
    for (const [label, { count, bytes }] of [...tallies].sort()) {
      deps.print(`  ${String(count).padStart(8)} objects ${String(bytes).padStart(14)} bytes  ${label}`);
    }
  };
  section('garbage, to be deleted when two passes have seen it a grace apart:', report.garbage);
  section('not needed, but not garbage yet:', report.waiting);
  section('deleted:', report.deleted);
  for (const { subject, error } of report.failures) {
    deps.print(`left alone: ${subject}: ${error instanceof Error ? error.message : String(error)}`);
  }
  deps.print(
    `floors ${dryRun ? 'to raise' : 'raised'}: ${report.floorsRaised}; jobs revoked: ${report.jobsRevoked}; ` +
      `births given up: ${report.birthsGivenUp}; markers restored: ${report.markersRestored}`,
  );
}
