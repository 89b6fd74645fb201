import type { DeleteVectorReference } from '@lagoon/namespace';
import { deleteVectorInlineBytesMax, encodeDeleteVector } from '@lagoon/segment';
import type { JobObjects } from './job-objects.ts';
import type { SegmentMemory } from './segment-memory.ts';

export interface DeleteVectorDeps {
  readonly objects: JobObjects;
  readonly memory: SegmentMemory;
}

/** Inline where it is small, else an object of the job. */
export async function writeDeleteVector(
  deps: DeleteVectorDeps,
  dead: Uint8Array,
  rowCount: number,
  liveRowCount: number,
  signal?: AbortSignal,
): Promise<DeleteVectorReference> {
  // A segment without live rows leaves the manifest, and its vector is never read.
  if (dead.byteLength <= deleteVectorInlineBytesMax || liveRowCount === 0) return { kind: 'inline', bitmap: dead };
  const object = await deps.objects.write('del', encodeDeleteVector(dead, rowCount), signal);
  deps.memory.rememberDeadRows(object.key, dead);
  return { kind: 'object', object };
}
