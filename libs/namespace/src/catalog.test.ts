import { describe, expect, test } from '@jest/globals';
import { createMemoryStore } from '@lagoon/object-store';
import fc from 'fast-check';
import { listNamespaces } from './catalog.ts';
import { catalogKey } from './keys.ts';

const names = fc.uniqueArray(fc.oneof(fc.stringMatching(/^[aAb.]{1,4}$/), fc.stringMatching(/^[AB]{101,104}$/)), {
  maxLength: 12,
});

describe('listing namespaces', () => {
  test('pages give every name with the prefix once, however many incarnations left a marker', async () => {
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.stringMatching(/^[aAb.]{0,2}$/),
        fc.integer({ min: 1, max: 4 }),
        async (all, prefix, pageSize) => {
          const store = createMemoryStore({ clock: { wallMs: () => 0 } });
          for (const name of all) {
            await store.put(catalogKey(name, 'i1'), new Uint8Array(0));
            await store.put(catalogKey(name, 'i2'), new Uint8Array(0));
          }
          const listed: string[] = [];
          let cursor: string | undefined;
          do {
            const page = await listNamespaces(store, { prefix, pageSize, ...(cursor === undefined ? {} : { cursor }) });
            expect(page.names.length).toBeLessThanOrEqual(pageSize);
            listed.push(...page.names);
            cursor = page.nextCursor;
          } while (cursor !== undefined);
          expect(listed.toSorted()).toEqual(all.filter((name) => name.startsWith(prefix)).toSorted());
        },
      ),
    );
  });
});
