import type { Manifest, NamespaceView, ReadResult } from '@lagoon/namespace';

/**
 * What was read from the log and is not yet in the rows. Manifests collapse to the newest one: content is the same whatever
 * manifests came between. A birth, an end or a fresh start throws away what was before.
 */
export interface PendingEvents {
  readonly add: (result: ReadResult) => void;
  /** Begin with empty rows. */
  reset: boolean;
  readonly batches: PendingBatch[];
  manifest: Manifest | undefined;
  /** What the rows are of once nothing is pending. */
  view: NamespaceView | undefined;
}

export interface PendingBatch {
  readonly generation: number;
  readonly incarnation: string;
  readonly parts: readonly Uint8Array[];
}

export function createPendingEvents(): PendingEvents {
  const pending: PendingEvents = { add, reset: false, batches: [], manifest: undefined, view: undefined };
  let incarnation = '';

  function startOver(manifest: Manifest | undefined): void {
    pending.reset = true;
    pending.batches.length = 0;
    pending.manifest = manifest;
  }
  function add(result: ReadResult): void {
    const live = result.view.live;
    if (result.restarted) {
      startOver(live?.manifest);
      incarnation = live?.incarnation ?? '';
    }
    for (const event of result.events) {
      if (event.kind === 'birth') {
        startOver(event.manifest);
        incarnation = event.incarnation;
      }
      if (event.kind === 'truncate') startOver(undefined);
      if (event.kind === 'manifest') pending.manifest = event.manifest;
      if (event.kind === 'batch' && !isIndexed(event.generation)) {
        pending.batches.push({ generation: event.generation, incarnation, parts: event.parts });
      }
    }
    pending.view = result.view;
  }
  /** Only rows that begin empty may skip what a manifest holds: others need it to know what died. */
  function isIndexed(generation: number): boolean {
    return pending.reset && pending.manifest !== undefined && generation <= pending.manifest.indexedThrough;
  }
  return pending;
}
