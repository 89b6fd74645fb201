import type { ByteSource, CreateResult, ObjectStore } from './object-store.ts';

/** Sources up to here are read into memory: a stream costs more than so many bytes. */
const streamedBytesMin = 8 << 20;

/** Creates an object from bytes that lie elsewhere, piece by piece where the store can. */
export async function createFrom(
  store: ObjectStore,
  key: string,
  source: ByteSource,
  signal?: AbortSignal,
): Promise<CreateResult> {
  if (store.createStreamed !== undefined && source.byteLength > streamedBytesMin) {
    return await store.createStreamed(key, source, signal);
  }
  return await store.create(key, await source.read(0, source.byteLength), signal);
}

/** The method `createStreamed` of a wrapper: there where the store that is wrapped has it. */
export function streamedThrough(
  store: ObjectStore,
  wrap: (
    run: (key: string, source: ByteSource, signal?: AbortSignal) => Promise<CreateResult>,
  ) => NonNullable<ObjectStore['createStreamed']>,
): Pick<ObjectStore, 'createStreamed'> {
  const run = store.createStreamed?.bind(store);
  return run === undefined ? {} : { createStreamed: wrap(run) };
}

const pieceBytes = 1 << 20;

export async function* piecesOf(source: ByteSource): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < source.byteLength; at += pieceBytes) {
    yield await source.read(at, Math.min(at + pieceBytes, source.byteLength));
  }
}
