import type { Manifest, NamespaceView, ReadResult } from '@lagoon/namespace';

/**
 * What was read from the log and is not yet in the rows. Manifests collapse to the newest one: content is the same whatever
 * manifests came between. A birth, an end or a fresh start throws away what was before; and so does a manifest that has indexed
 * more than is worth keeping, so that a namespace which is only followed, or does not fit into memory, holds no more than its tail.
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

/** Indexed batches up to here are applied one by one, which leaves the rows that are there in place. */
const indexedBytesMax = 64 << 20;

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
      if (event.kind === 'manifest') takeManifest(event.manifest);
      if (event.kind === 'batch' && !isIndexed(event.generation)) {
        pending.batches.push({ generation: event.generation, incarnation, parts: event.parts });
      }
    }
    pending.view = result.view;
  }
  function takeManifest(manifest: Manifest): void {
    const behind = pending.batches.filter(({ generation }) => generation > manifest.indexedThrough);
    if (pending.reset || bytesOf(pending.batches) - bytesOf(behind) > indexedBytesMax) {
      startOver(manifest);
      pending.batches.push(...behind);
    }
    pending.manifest = manifest;
  }
  /** Only rows that begin empty may skip what a manifest holds: others need it to know what died. */
  function isIndexed(generation: number): boolean {
    return pending.reset && pending.manifest !== undefined && generation <= pending.manifest.indexedThrough;
  }
  return pending;
}

function bytesOf(batches: readonly PendingBatch[]): number {
  let bytes = 0;
  for (const { parts } of batches) for (const part of parts) bytes += part.byteLength;
  return bytes;
}
