import { catalogKey, createNamespaceLog, mendManifest, type NamespaceLogDeps } from '@lagoon/namespace';
import type { FsckReport } from './report.ts';

export interface RepairOutput {
  print(line: string): void;
  /** What cannot be repaired. */
  printError(line: string): void;
}

/** Lost manifests first, then a marker and a hint for every name that lives. What cannot be mended is told and left as it is. */
export async function repairStore(
  deps: NamespaceLogDeps,
  { living, lostManifests }: FsckReport,
  output: RepairOutput,
  signal?: AbortSignal,
): Promise<void> {
  const log = createNamespaceLog(deps);
  const names = new Set([...lostManifests, ...living.map(({ name }) => name)]);
  for (const name of names) {
    try {
      if (lostManifests.has(name)) output.print(`repaired ${name}: ${await mend(deps, name, signal)}`);
      const { view } = await log.open(name, {}, signal);
      if (view.live === undefined) continue;
      const isListed = living.some((one) => one.isListed && one.incarnation === view.live?.incarnation);
      if (!isListed) await deps.store.put(catalogKey(name, view.live.incarnation), new Uint8Array(0), signal);
      await log.writeHint(view, signal);
    } catch (error) {
      signal?.throwIfAborted();
      output.printError(`${name} cannot be repaired: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

async function mend(deps: NamespaceLogDeps, name: string, signal?: AbortSignal): Promise<string> {
  const mended = await mendManifest(deps, name, signal);
  switch (mended.how) {
    case 'nothing_lost':
      return 'its newest manifest is whole';
    case 'from_hint':
      return `manifest ${mended.key} written again, as its hint has it`;
    case 'from_log':
      return mended.base === 0
        ? `generation ${mended.generation} holds nothing but its birth: all of it is to be indexed again`
        : `generation ${mended.generation} holds what generation ${mended.base} held: the rest is to be indexed again`;
  }
}
