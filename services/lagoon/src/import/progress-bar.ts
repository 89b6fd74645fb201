import type { Clock } from '@lagoon/base';
import { Presets, SingleBar } from 'cli-progress';
import type { ImportProgress } from './import-run.ts';

export interface ProgressDisplay extends Disposable {
  update(progress: ImportProgress): void;
}

const lineEveryMs = 2_000;

/** A bar on a terminal, a line every two seconds elsewhere. */
export function createProgressDisplay(clock: Clock, label: string, output: NodeJS.WriteStream): ProgressDisplay {
  return output.isTTY ? createBar(label, output) : createLines(clock, label, output);
}

function createBar(label: string, output: NodeJS.WriteStream): ProgressDisplay {
  const bar = new SingleBar(
    {
      format: `${label} {bar} {percentage}% · {rows} documents · {rate}/s · {eta_formatted} left`,
      stream: output,
      hideCursor: true,
      etaBuffer: 50,
    },
    Presets.shades_classic,
  );
  let started = false;
  return {
    update: (progress) => {
      const payload = { rows: progress.rowCount.toLocaleString('en-US'), rate: formatRate(progress.rowsPerSecond) };
      if (!started) bar.start(progress.positionEnd, progress.position, payload);
      else bar.update(progress.position, payload);
      started = true;
    },
    [Symbol.dispose]: () => {
      if (started) bar.stop();
      started = false;
    },
  };
}

function createLines(clock: Clock, label: string, output: NodeJS.WriteStream): ProgressDisplay {
  let printedAtMs = clock.monotonicMs();
  return {
    update: (progress) => {
      const nowMs = clock.monotonicMs();
      if (nowMs - printedAtMs < lineEveryMs) return;
      printedAtMs = nowMs;
      const percent = Math.floor((100 * progress.position) / Math.max(1, progress.positionEnd));
      output.write(
        `${label} ${percent}% · ${progress.rowCount.toLocaleString('en-US')} documents · ${formatRate(progress.rowsPerSecond)}/s\n`,
      );
    },
    [Symbol.dispose]: () => {},
  };
}

export function formatRate(rowsPerSecond: number): string {
  return Math.round(rowsPerSecond).toLocaleString('en-US');
}
