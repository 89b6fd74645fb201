import { crc32, LagoonError, utf8Encode } from '@lagoon/base';
import { catalogPrefix, dataRoot, familiesPrefix, namespacesPrefix, parseKey } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';

/** Fingerprints of the keys of every name and every family: equal ones mean that nothing was made or removed. */
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
    for await (const key of keysOf(store, prefix, signal)) {
      const parsed = parseKey(key);
      if (parsed === undefined || !('name' in parsed) || parsed.kind === 'head') continue; // the hint is overwritten at will
      names.set(parsed.name, crc32(utf8Encode(key), names.get(parsed.name) ?? 0));
    }
  }
  for (const prefix of [familiesPrefix, dataRoot]) {
    for await (const key of keysOf(store, prefix, signal)) {
      const parsed = parseKey(key);
      if (parsed?.kind !== 'family' && parsed?.kind !== 'data') continue;
      families.set(parsed.family, crc32(utf8Encode(key), families.get(parsed.family) ?? 0));
    }
  }
  return { names, families };
}

async function* keysOf(store: ObjectStore, prefix: string, signal?: AbortSignal): AsyncGenerator<string> {
  let startAfter: string | undefined;
  for (let pageCount = 0; pageCount < pageCountMax; pageCount++) {
    const page = await store.list({ prefix, ...(startAfter === undefined ? {} : { startAfter }) }, signal);
    for (const { key } of page.objects) yield key;
    startAfter = page.objects.at(-1)?.key;
    if (!page.truncated || startAfter === undefined) return;
  }
  throw new LagoonError('resource_exhausted', 'too many pages of keys', { context: { prefix } });
}
