import type { ObjectStore } from '@lagoon/object-store';
import { dirtyKey, dirtyPrefix, parseKey } from './keys.ts';

/**
 * Markers of namespaces whose tail waits to be indexed. Anyone may write one; whoever clears one deletes exactly the key it read, after
 * it has indexed or found nothing, so a marker of later work is never lost with it.
 */
export interface DirtyMarker {
  readonly key: string;
  readonly name: string;
  readonly firstUnindexedGeneration: number;
  readonly writtenAtMs: number;
}

export async function writeDirtyMarker(
  store: ObjectStore,
  name: string,
  firstUnindexedGeneration: number,
  signal?: AbortSignal,
): Promise<void> {
  await store.put(dirtyKey(name, firstUnindexedGeneration), new Uint8Array(0), signal);
}

/** One page, in key order; go on with `startAfter` = `nextCursor`. */
export async function listDirtyMarkers(
  store: ObjectStore,
  cursor?: string,
  signal?: AbortSignal,
): Promise<{ readonly markers: readonly DirtyMarker[]; readonly nextCursor: string | undefined }> {
  const after = cursor === undefined ? {} : { startAfter: cursor };
  const page = await store.list({ prefix: dirtyPrefix, ...after }, signal);
  const markers = page.objects.flatMap(({ key, lastModifiedMs }): DirtyMarker[] => {
    const parsed = parseKey(key);
    if (parsed?.kind !== 'dirty') return [];
    return [{ key, name: parsed.name, firstUnindexedGeneration: parsed.generation, writtenAtMs: lastModifiedMs }];
  });
  return { markers, nextCursor: page.truncated ? page.objects.at(-1)?.key : undefined };
}

export async function clearDirtyMarkers(
  store: ObjectStore,
  markers: readonly DirtyMarker[],
  signal?: AbortSignal,
): Promise<void> {
  if (markers.length > 0)
    await store.delete(
      markers.map(({ key }) => key),
      signal,
    );
}
