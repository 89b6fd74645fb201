import {
  type BodyDeps,
  type BodyPlace,
  type IdempotencyRecord,
  type Manifest,
  type NamespaceLog,
  type NamespaceView,
  writeIdempotencyPart,
} from '@lagoon/namespace';

/**
 * The manifest with the records that leave the tail, as one more immutable part; all parts become one when there are many.
 * `records` are young enough to be kept.
 */
export async function withRecords(
  deps: BodyDeps & { readonly namespaceLog: NamespaceLog },
  place: BodyPlace,
  manifest: Manifest,
  view: NamespaceView,
  records: readonly IdempotencyRecord[],
  options: { readonly partCountMax: number; readonly writtenAfterMs: number },
  signal?: AbortSignal,
): Promise<Manifest> {
  if (records.length === 0) return manifest;
  if (manifest.idempotencyParts.length < options.partCountMax) {
    const part = await writeIdempotencyPart(deps, place, records, signal);
    return part === undefined ? manifest : { ...manifest, idempotencyParts: [...manifest.idempotencyParts, part] };
  }
  const earlier = await deps.namespaceLog.readIdempotencyParts(view, signal);
  const all = [...earlier.values(), ...records].filter((record) => record.writtenAtMs >= options.writtenAfterMs);
  const part = await writeIdempotencyPart(deps, place, all, signal);
  const replaced = manifest.idempotencyParts.map(({ object }) => ({
    key: object.key,
    obsoleteSinceGeneration: manifest.generation,
  }));
  return {
    ...manifest,
    idempotencyParts: part === undefined ? [] : [part],
    obsolete: [...manifest.obsolete, ...replaced],
  };
}
