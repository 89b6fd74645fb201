/**
 * Start to ready, and memory of an idle `serve --roles all`. `make build` leaves the sources compiled; a start that finds them so is what is measured.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLagoon } from './lagoon-process.ts';
import { quantile } from './statistics.ts';

const startCount = 6;
const idleMs = 10_000;

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lagoon-bench-'));
  const readyMs: number[] = [];
  const residentMb: number[] = [];
  try {
    for (let i = 0; i < startCount; i++) {
      await using lagoon = await startLagoon(join(folder, String(i)));
      await new Promise((done) => setTimeout(done, idleMs));
      readyMs.push(lagoon.readyMs);
      residentMb.push(lagoon.residentBytes() / 1e6);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  process.stdout.write(
    `launcher to ready, on an empty directory, ${startCount} starts: median ${(quantile(readyMs, 0.5) / 1000).toFixed(2)} s, slowest ${(Math.max(...readyMs) / 1000).toFixed(2)} s\n` +
      `resident memory after ${idleMs / 1000} idle seconds, all roles: ${residentMb.map((mb) => mb.toFixed(0)).join(', ')} MB\n`,
  );
}

await main();
