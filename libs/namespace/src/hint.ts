import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { corrupt, emptyBytes, equalBytes, sha256 } from '@lagoon/base';
import { type Head, HeadSchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import type { LogContext } from './context.ts';
import { decodeEntry } from './entry.v1.ts';
import { checkBody } from './entry-body.ts';
import type { ReadEntry } from './entry-reader.ts';
import { isForeignManifest } from './fold.ts';
import { headKey, logKey } from './keys.ts';
import { decodeStoredManifest, encodeManifest } from './manifest-codec.ts';
import { completeManifest, manifestOf, readManifest } from './manifest-reader.ts';
import { referenceFromStored } from './object-reference.ts';
import { toSafeNumber } from './proto-number.ts';
import type { Manifest, NamespaceView } from './view.ts';

/** Bodies up to here are inlined into the hint. */
const inlineBytesMax = 256 << 10;

/** The hint is due with every manifest and every so many entries. */
const hintIntervalGenerations = 64;

/** What a hint says: only ever a place to start looking. */
export interface HeadHint {
  readonly generation: number;
  /** 0: no manifest. */
  readonly manifestGeneration: number;
  /** The manifest's entry, decoded and verified; its body only where it is inlined. */
  readonly manifestEntry: ReadEntry | undefined;
  /** Verified bytes of the body, inlined, of a manifest whose parts are to be read. */
  readonly manifestRoot?: Uint8Array;
}

/** Whether whoever appended from `before` to `after` should write the hint, beside its answer. */
export function isHintDue(before: NamespaceView, after: NamespaceView): boolean {
  const intervals = (view: NamespaceView) => Math.floor(view.generation / hintIntervalGenerations);
  return before.newestManifestGeneration !== after.newestManifestGeneration || intervals(before) !== intervals(after);
}

/** Undefined where there is none, or where it cannot be read: a hint may be anything. */
export async function readHint(context: LogContext, name: string, signal?: AbortSignal): Promise<HeadHint | undefined> {
  try {
    const object = await context.store.get(headKey(name), undefined, signal);
    context.time.answered(object);
    if (object === undefined) {
      context.metrics.hint('absent');
      return undefined;
    }
    return decodeHint(name, object.bytes);
  } catch (error) {
    signal?.throwIfAborted();
    context.metrics.hint('ignored');
    context.log.warn('head hint ignored', { namespace: name, error });
    return undefined;
  }
}

/** The bytes of the body that the hint has inlined, of whatever manifest; undefined where it has none. */
export async function hintedBody(
  context: LogContext,
  name: string,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  const object = await context.store.get(headKey(name), undefined, signal);
  try {
    const body = object === undefined ? emptyBytes : fromBinary(HeadSchema, object.bytes).manifestBody;
    return body.byteLength === 0 ? undefined : body;
  } catch {
    return undefined;
  }
}

/** Throws for whatever is not a whole hint whose inlined entry and body match their hashes. */
export function decodeHint(name: string, bytes: Uint8Array): HeadHint {
  const head = fromBinary(HeadSchema, bytes);
  const generation = toSafeNumber(head.generation);
  const manifestGeneration = toSafeNumber(head.manifestGeneration);
  if (generation < 1 || manifestGeneration > generation) throw corrupt('head hint out of range');
  if (manifestGeneration === 0) return { generation, manifestGeneration, manifestEntry: undefined };
  return { generation, manifestGeneration, ...decodeHintedEntry(name, head, manifestGeneration) };
}

function decodeHintedEntry(
  name: string,
  head: Head,
  generation: number,
): Pick<HeadHint, 'manifestEntry' | 'manifestRoot'> {
  const key = logKey(name, generation);
  const { header, hash, sizeBytes } = decodeEntry(key, head.manifestEntryObject);
  if (header.kind.case !== 'manifest' || isForeignManifest(header, header.kind.value)) throw corrupt('not a manifest');
  const entry = { generation, header, hash, sizeBytes, parts: [] };
  if (head.manifestBody.byteLength === 0) return { manifestEntry: entry };
  const reference = referenceFromStored(key, header.kind.value.body);
  if (!reference.key.startsWith(`${headKey(name).slice(0, -'head'.length)}body/`)) throw corrupt('foreign body');
  checkBody(reference, head.manifestBody);
  const stored = decodeStoredManifest(reference.key, head.manifestBody);
  if (stored.parts.length > 0) return { manifestEntry: entry, manifestRoot: head.manifestBody };
  return { manifestEntry: { ...entry, manifest: manifestOf(reference.key, stored, generation, []) } };
}

/** Best effort: a failure is logged. One PUT, and a GET where the manifest's entry is not at hand. */
export async function writeHint(
  context: LogContext,
  view: NamespaceView,
  manifestEntryObject: (generation: number) => Promise<Uint8Array | undefined>,
  signal?: AbortSignal,
): Promise<void> {
  if (view.generation === 0) return;
  try {
    const manifest = view.live?.manifest;
    const object = await hintedObject(manifest, manifestEntryObject);
    const head = create(HeadSchema, {
      generation: BigInt(view.generation),
      manifestGeneration: BigInt(object === undefined ? 0 : (manifest?.generation ?? 0)),
      manifestEntryObject: object ?? emptyBytes,
      manifestBody: object === undefined || manifest === undefined ? emptyBytes : inlineBody(view, manifest, object),
      incarnation: view.live?.incarnation ?? '',
    });
    context.time.answered(await context.store.put(headKey(view.name), toBinary(HeadSchema, head), signal));
  } catch (error) {
    context.log.warn('head hint not written', { namespace: view.name, generation: view.generation, error });
  }
}

async function hintedObject(
  manifest: Manifest | undefined,
  manifestEntryObject: (generation: number) => Promise<Uint8Array | undefined>,
): Promise<Uint8Array | undefined> {
  return manifest === undefined || manifest.generation === 0 ? undefined : manifestEntryObject(manifest.generation);
}

/** The body, where writing the manifest again gives the bytes that the entry names and they are small. */
function inlineBody(view: NamespaceView, manifest: Manifest, entryObject: Uint8Array): Uint8Array {
  const key = logKey(view.name, manifest.generation);
  const { header } = decodeEntry(key, entryObject);
  if (header.kind.case !== 'manifest') throw corrupt('not a manifest', { key });
  const body = encodeManifest(manifest);
  const reference = referenceFromStored(key, header.kind.value.body);
  const isSame = body.byteLength <= inlineBytesMax && equalBytes(sha256(body), reference.sha256);
  return isSame ? body : emptyBytes;
}

/** The hinted manifest with its body, read where it is not inlined, and its parts. */
export async function completeHintedManifest(
  context: LogContext,
  name: string,
  entry: ReadEntry,
  root: Uint8Array | undefined,
  signal?: AbortSignal,
): Promise<ReadEntry & { readonly manifest: Manifest }> {
  if (entry.manifest !== undefined) return { ...entry, manifest: entry.manifest };
  if (entry.header.kind.case !== 'manifest') throw corrupt('not a manifest', { namespace: name });
  const reference = referenceFromStored(logKey(name, entry.generation), entry.header.kind.value.body);
  const manifest =
    root === undefined
      ? await readManifest(context, name, reference, entry.generation, signal)
      : await completeManifest(context, name, reference, root, entry.generation, signal);
  return { ...entry, manifest };
}
