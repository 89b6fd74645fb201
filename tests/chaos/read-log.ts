import { mapBounded } from '@lagoon/base';
import { namespacePrefix } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import { type LogModel, readLogModel } from '../sim/log-model.ts';

const readConcurrency = 32;

/** What the log in the store says of a namespace, generation by generation. Throws where it is no log: a gap, a broken chain. */
export async function readModel(store: ObjectStore, namespace: string): Promise<LogModel> {
  const keys = await keysBelow(store, namespacePrefix(namespace));
  const read = async (key: string) => {
    const object = await store.get(key);
    return object === undefined ? [] : [[key, object] as const]; // collected since the listing
  };
  const entries = await mapBounded(keys, readConcurrency, read);
  return readLogModel(new Map(entries.flat()), namespace);
}

async function keysBelow(store: ObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for (;;) {
    const startAfter = keys.at(-1);
    const page = await store.list({ prefix, ...(startAfter === undefined ? {} : { startAfter }) });
    for (const { key } of page.objects) keys.push(key);
    if (!page.truncated) return keys;
  }
}
