import { LagoonError, type Log, sha256 } from '@lagoon/base';
import { dataKey, type LiveNamespace, type ObjectReference } from '@lagoon/namespace';
import { type ByteSource, type CreateResult, createFrom, type ObjectStore } from '@lagoon/object-store';

/** The objects that one job writes: `data/<family>/<incarnation>/<job>-<n>`, each created once, never overwritten. */
export interface JobObjects {
  write(extension: 'seg' | 'del', bytes: Uint8Array, signal?: AbortSignal): Promise<ObjectReference>;
  /** As `write`, of bytes that lie elsewhere. */
  writeFrom(extension: 'seg' | 'del', source: ByteSource, signal?: AbortSignal): Promise<ObjectReference>;
  /**
   * Removes what was written. Only for a job that is dropped and whose entry was neither handed over nor may still be
   * created (storage page, section 5.3); in every other case the objects are left to the garbage collector.
   */
  remove(): Promise<void>;
  readonly writtenBytes: number;
}

const attemptCountMax = 5;

export function createJobObjects(
  store: ObjectStore,
  live: Pick<LiveNamespace, 'family' | 'incarnation'>,
  job: string,
): JobObjects {
  const keys: string[] = [];
  let writtenBytes = 0;
  const newKey = (extension: 'seg' | 'del'): string => {
    const { family, incarnation } = live;
    const key = dataKey({ family, incarnation, job, n: keys.length, extension });
    keys.push(key);
    return key;
  };
  return {
    write: async (extension, bytes, signal) => {
      const key = newKey(extension);
      await createOwn(key, () => store.create(key, bytes, signal));
      writtenBytes += bytes.byteLength;
      return { key, size: bytes.byteLength, sha256: sha256(bytes) };
    },
    writeFrom: async (extension, source, signal) => {
      const key = newKey(extension);
      await createOwn(key, () => createFrom(store, key, source, signal));
      writtenBytes += source.byteLength;
      return { key, size: source.byteLength, sha256: source.sha256 };
    },
    remove: async () => {
      if (keys.length > 0) await store.delete(keys);
    },
    get writtenBytes() {
      return writtenBytes;
    },
  };
}

/** What a job that is dropped does with its objects. */
export async function removeUnnamed(
  deps: { readonly log: Log },
  objects: JobObjects,
  mayBeNamed: boolean,
): Promise<void> {
  if (mayBeNamed) return;
  try {
    await objects.remove();
  } catch (error) {
    deps.log.debug('objects of a dropped job stay for the garbage collector', { error });
  }
}

/** Nobody else writes a job's keys, so an object that exists after an unclear answer is our own. */
async function createOwn(key: string, create: () => Promise<CreateResult>): Promise<void> {
  let cause: unknown;
  for (let attempt = 0; attempt < attemptCountMax; attempt++) {
    const result = await create();
    if (result.outcome === 'created') return;
    if (result.outcome === 'exists') {
      if (attempt > 0) return;
      throw new LagoonError('internal', 'another job has this key', { context: { key } });
    }
    cause = result.cause;
  }
  throw new LagoonError('unavailable', 'the store does not take a segment', { cause, context: { key } });
}
