import { mapBounded } from '@lagoon/base';
import { namespacePrefix } from '@lagoon/namespace';
import type { ObjectStore, StoredObject } from '@lagoon/object-store';
import { type KnownGenerations, type LogModel, readLogModel } from '../sim/log-model.ts';

const readConcurrency = 32;

/**
 * What the logs in the store say of namespaces, generation by generation. Throws where one is no log: a gap, a broken chain, a birth from
 * what was not there.
 */
export async function readModels(store: ObjectStore, namespaces: readonly string[]): Promise<Map<string, LogModel>> {
  const objects = new Map<string, StoredObject>();
  for (const namespace of namespaces) {
    const keys = await keysBelow(store, namespacePrefix(namespace));
    const read = async (key: string) => {
      const object = await store.get(key);
      if (object !== undefined) objects.set(key, object); // else collected since the listing
    };
    await mapBounded(keys, readConcurrency, read);
  }
  const known: KnownGenerations = new Map();
  const models = new Map<string, LogModel>();
  for (const namespace of namespaces) {
    const model = readLogModel(objects, namespace, undefined, known);
    known.set(namespace, model.generations);
    models.set(namespace, model);
  }
  return models;
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
