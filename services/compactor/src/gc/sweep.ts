import { LagoonError } from '@lagoon/base';
import { addToPrint, catalogPrefix, dataRoot, familiesPrefix, namespacesPrefix, parseKey } from '@lagoon/namespace';
import type { ListedObject, ObjectStore } from '@lagoon/object-store';

/** Fingerprints of the keys of every name and every family, as a survey and a census make them. */
export interface Prints {
  readonly names: ReadonlyMap<string, number>;
  readonly families: ReadonlyMap<string, number>;
}

const pageCountMax = 1_000_000;

/** Lists whole prefixes, once a day at most: a thousand keys in a request, whosever they are. */
export async function sweepStore(store: ObjectStore, signal?: AbortSignal): Promise<Prints> {
  const names = new Map<string, number>();
  const families = new Map<string, number>();
  for (const prefix of [catalogPrefix, namespacesPrefix]) {
    for await (const object of objectsOf(store, prefix, signal)) {
      const parsed = parseKey(object.key);
      if (parsed === undefined || !('name' in parsed)) continue;
      names.set(parsed.name, addToPrint(names.get(parsed.name) ?? 0, object));
    }
  }
  for (const prefix of [familiesPrefix, dataRoot]) {
    for await (const object of objectsOf(store, prefix, signal)) {
      const parsed = parseKey(object.key);
      if (parsed?.kind !== 'family' && parsed?.kind !== 'data') continue;
      families.set(parsed.family, addToPrint(families.get(parsed.family) ?? 0, object));
    }
  }
  return { names, families };
}

async function* objectsOf(store: ObjectStore, prefix: string, signal?: AbortSignal): AsyncGenerator<ListedObject> {
  let startAfter: string | undefined;
  for (let pageCount = 0; pageCount < pageCountMax; pageCount++) {
    const page = await store.list({ prefix, ...(startAfter === undefined ? {} : { startAfter }) }, signal);
    yield* page.objects;
    startAfter = page.objects.at(-1)?.key;
    if (!page.truncated || startAfter === undefined) return;
  }
  throw new LagoonError('resource_exhausted', 'too many pages of keys', { context: { prefix } });
}
