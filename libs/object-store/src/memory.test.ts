import { createSystemClock } from '@lagoon/base';
import { createMemoryStore } from './memory.ts';
import type { ObjectStore } from './object-store.ts';
import { prefixed } from './prefixed.ts';
import { describeObjectStoreContract } from './testing/contract.ts';

const clock = createSystemClock();

/** One store per space for the whole file. */
function spaces(create: () => ObjectStore): (space: string) => Promise<ObjectStore> {
  const stores = new Map<string, ObjectStore>();
  return async (space) => {
    const store = stores.get(space) ?? create();
    stores.set(space, store);
    return store;
  };
}

describeObjectStoreContract(
  'memory',
  spaces(() => createMemoryStore({ clock })),
);

const shared = createMemoryStore({ clock });
describeObjectStoreContract('prefixed', async (space) => prefixed(shared, `${space}/`), {
  mayRefuse: (key) => key.length > 1000, // the prefix takes a part of the longest key
});
