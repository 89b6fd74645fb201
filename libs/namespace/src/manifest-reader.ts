import { corrupt, equalBytes, mapBounded } from '@lagoon/base';
import type { ObjectStore } from '@lagoon/object-store';
import type {
  Manifest as StoredManifest,
  ManifestPart as StoredPart,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { readBody } from './entry-body.ts';
import { checkManifest } from './manifest.ts';
import { decodeStoredManifest, decodeStoredPart, manifestFromStored, partFromStored } from './manifest-codec.ts';
import { referenceFromStored } from './object-reference.ts';
import { createRecent, type Recent } from './recent.ts';
import type { Manifest, ManifestPart, ObjectReference } from './view.ts';

/** Where manifests are read from. Parts are immutable and shared by manifests, so whoever reads on reads only what changed. */
export interface ManifestSource {
  readonly store: ObjectStore;
  readonly manifestParts: Recent<ManifestPart>;
}

/** Of some hundred segments each. */
const partsCachedMax = 512;
const partCountMax = 20_000;
const partsAtOnceMax = 32;

export function createPartCache(): Recent<ManifestPart> {
  return createRecent(partsCachedMax);
}

/** The body that an entry of the namespace names, with its parts. Throws `corrupt`, also where something of it is missing. */
export async function readManifest(
  source: ManifestSource,
  name: string,
  reference: ObjectReference,
  generation: number,
  signal?: AbortSignal,
): Promise<Manifest> {
  const bytes = await readBody(source.store, name, reference, signal);
  return completeManifest(source, name, reference, bytes, generation, signal);
}

/** As `readManifest`, out of the body's verified bytes: only its parts are read. */
export async function completeManifest(
  source: ManifestSource,
  name: string,
  reference: ObjectReference,
  bytes: Uint8Array,
  generation: number,
  signal?: AbortSignal,
): Promise<Manifest> {
  const stored = decodeStoredManifest(reference.key, bytes);
  const parts = await readParts(source, name, reference.key, stored, undefined, signal);
  return manifestOf(reference.key, stored, generation, parts);
}

/** A manifest whose parts are at hand; its invariants hold. */
export function manifestOf(
  key: string,
  stored: StoredManifest,
  generation: number,
  parts: readonly ManifestPart[],
): Manifest {
  const manifest = manifestFromStored(key, stored, generation, parts);
  checkManifest(manifest);
  return manifest;
}

/** `inspect` sees each part that was not read before. */
export async function readParts(
  source: ManifestSource,
  name: string,
  within: string,
  stored: StoredManifest,
  inspect?: (key: string, part: StoredPart) => void,
  signal?: AbortSignal,
): Promise<ManifestPart[]> {
  if (stored.parts.length > partCountMax) throw corrupt('a manifest of too many parts', { key: within });
  return mapBounded(
    stored.parts,
    partsAtOnceMax,
    async (part, _, inner) => {
      const reference = referenceFromStored(within, part.object);
      const present = source.manifestParts.get(reference.key);
      if (present !== undefined && equalBytes(present.object.sha256, reference.sha256)) return present;
      const bytes = await readBody(source.store, name, reference, inner);
      const decoded = decodeStoredPart(reference.key, bytes);
      inspect?.(reference.key, decoded);
      const read = partFromStored(reference, decoded);
      source.manifestParts.set(reference.key, read);
      return read;
    },
    signal,
  );
}
