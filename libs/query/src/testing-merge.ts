import { createRandomId, type Random } from '@lagoon/base';
import { openBlock, type Schema } from '@lagoon/format';
import { applyMergeEdit, type Manifest } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import {
  createMemoryScratch,
  createRangeReader,
  mergeSegments,
  openSegment,
  readDeleteVector,
  readSegmentRows,
  type SegmentToMerge,
} from '@lagoon/segment';

/** For tests: the manifest with all its segments merged into one, which is in the store. */
export async function mergeAll(
  { store, random }: { readonly store: ObjectStore; readonly random: Random },
  manifest: Manifest,
  schema: Schema,
  orderOf: ((rowCount: number) => Uint32Array) | undefined,
): Promise<Manifest> {
  const { segments, incarnation, family } = manifest;
  const sources = await Promise.all(
    segments.map(async ({ object, footer, deleteVector, rowCount }): Promise<SegmentToMerge> => {
      const dead = await readDeleteVector(store, deleteVector, rowCount);
      if (footer === undefined) return { rows: openBlock((await readSegmentRows(store, object)).bytes), dead };
      return { rows: await openSegment(createRangeReader(store, object), { key: object.key, footer }), dead };
    }),
  );
  const generations = {
    generationFirst: Math.min(...segments.map(({ generationFirst }) => generationFirst)),
    generationLast: Math.max(...segments.map(({ generationLast }) => generationLast)),
  };
  const merged = await mergeSegments(
    sources,
    schema,
    { incarnation, ...generations },
    {
      ...{ scratch: createMemoryScratch(1 << 30), windowBytesMax: 1 << 10, indexedRowCountMin: 0 },
      ...(orderOf === undefined
        ? {}
        : { orderRows: async ({ rowCount }) => ({ order: orderOf(rowCount), lists: new Map() }) }),
    },
  );
  const mergedKeys = segments.map(({ object }) => object.key);
  if (merged === undefined) return applyMergeEdit(manifest, { mergedKeys, segment: undefined });
  const { file, sha256, footer, attributeRanges, rowCount } = merged;
  const key = `data/${family}/${incarnation}/${createRandomId(random)}-0.seg`;
  await store.create(key, file.read(0, file.size));
  const counts = { rowCount, liveRowCount: rowCount, logicalBytes: 1, deleteVector: undefined };
  const object = { key, size: file.size, sha256 };
  return applyMergeEdit(manifest, {
    mergedKeys,
    segment: { object, footer, attributeRanges, ...counts, ...generations },
  });
}
