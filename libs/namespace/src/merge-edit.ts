import { assert } from '@lagoon/base';
import type { Manifest, ObsoleteObject, SegmentReference } from './view.ts';

/** What a merge job did: one segment holds the live rows of several. No row is added, superseded or deleted by it. */
export interface MergeEdit {
  /** Keys of the segments whose rows were merged. */
  readonly mergedKeys: readonly string[];
  /** Their rows, with a delete vector of those that died since they were read; undefined: all of them died. */
  readonly segment: SegmentReference | undefined;
}

/** The segments with these keys, in the order of the keys; undefined where the manifest names one of them no more. */
export function findSegments(manifest: Manifest, keys: readonly string[]): readonly SegmentReference[] | undefined {
  const byKey = new Map(manifest.segments.map((segment) => [segment.object.key, segment]));
  const found = keys.flatMap((key) => byKey.get(key) ?? []);
  return found.length === keys.length ? found : undefined;
}

/**
 * The manifest with the merged segments replaced, whatever was added beside them meanwhile. The new one lies behind all segments whose last
 * generation is not above its own, so that segments still ascend.
 */
export function applyMergeEdit(manifest: Manifest, { mergedKeys, segment }: MergeEdit): Manifest {
  const merged = findSegments(manifest, mergedKeys);
  assert(merged !== undefined, 'a merge replaces segments that are named');
  const liveRowCount = merged.reduce((sum, one) => sum + one.liveRowCount, 0);
  assert((segment?.liveRowCount ?? 0) === liveRowCount, 'a merge keeps every live row');
  const gone = new Set(mergedKeys);
  const kept = manifest.segments.filter(({ object }) => !gone.has(object.key));
  const behind = kept.findIndex((one) => segment !== undefined && one.generationLast > segment.generationLast);
  const at = behind < 0 ? kept.length : behind;
  return {
    ...manifest,
    segments: [...kept.slice(0, at), ...(segment === undefined ? [] : [segment]), ...kept.slice(at)],
    obsolete: [...manifest.obsolete, ...merged.flatMap((one) => objectsOf(one, manifest.generation))],
  };
}

function objectsOf({ object, deleteVector }: SegmentReference, obsoleteSinceGeneration: number): ObsoleteObject[] {
  const own = { key: object.key, obsoleteSinceGeneration };
  return deleteVector?.kind === 'object' ? [own, { key: deleteVector.object.key, obsoleteSinceGeneration }] : [own];
}
