import { describe, expect, test } from '@jest/globals';
import { createSystemClock, sha256 } from '@lagoon/base';
import { createMemoryStore, metered } from '@lagoon/object-store';
import { readObject, readRequestCount } from './read-object.ts';
import { readDeleteVector } from './read-segment.ts';

async function createStored(bytes: Uint8Array) {
  const clock = createSystemClock();
  const store = metered(createMemoryStore({ clock }), { clock });
  await store.create('data/a', bytes);
  return { store, reference: { key: 'data/a', size: bytes.length, sha256: sha256(bytes) } };
}

describe('an object that a manifest names', () => {
  test('is read whole, in as many ranges as announced', async () => {
    for (const size of [0, 5, 8 << 20, (20 << 20) + 3]) {
      const bytes = new Uint8Array(size).map((_, i) => i * 7);
      const { store, reference } = await createStored(bytes);
      expect(Buffer.compare(await readObject(store, reference), bytes)).toBe(0);
      expect(store.snapshot().get).toBe(readRequestCount(size));
    }
  });

  test('that is absent is gone', async () => {
    const { store, reference } = await createStored(Uint8Array.of(1));
    await store.delete(['data/a']);
    await expect(readObject(store, reference)).rejects.toMatchObject({
      code: 'not_found',
      reason: 'gone',
      context: { key: 'data/a' },
    });
  });

  test('with another size or another byte is corrupt, and named', async () => {
    const { store, reference } = await createStored(Uint8Array.of(1, 2, 3));
    for (const size of [2, 4]) {
      await expect(readObject(store, { ...reference, size })).rejects.toMatchObject({ code: 'corrupt' });
    }
    await store.put('data/a', Uint8Array.of(1, 2, 7));
    const failure = readObject(store, reference);
    await expect(failure).rejects.toMatchObject({ code: 'corrupt', context: { key: 'data/a' } });
  });

  test('a delete vector that does not fit its segment is corrupt, inline too', async () => {
    const { store, reference } = await createStored(Uint8Array.of(1, 2, 3));
    const inObject = readDeleteVector(store, { kind: 'object', object: reference }, 8);
    await expect(inObject).rejects.toMatchObject({ code: 'corrupt', context: { key: 'data/a' } });
    const inline = readDeleteVector(store, { kind: 'inline', bitmap: Uint8Array.of(0xff) }, 7);
    await expect(inline).rejects.toMatchObject({ code: 'corrupt' });
  });
});
