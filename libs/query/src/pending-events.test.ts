import { describe, expect, test } from '@jest/globals';
import type { Manifest, NamespaceEvent, NamespaceView, ReadResult } from '@lagoon/namespace';
import { createPendingEvents } from './pending-events.ts';

const view = { name: 'docs', live: undefined } as unknown as NamespaceView;
const manifest = (indexedThrough: number) => ({ indexedThrough }) as Manifest;
const read = (...events: NamespaceEvent[]): ReadResult => ({ view, restarted: false, events });
const batch = (generation: number, bytes: number): NamespaceEvent => ({
  kind: 'batch',
  generation,
  parts: [new Uint8Array(bytes)],
});

describe('what nobody brings into the rows', () => {
  test('is no more than the tail, however much is written and indexed', () => {
    const pending = createPendingEvents();
    for (let generation = 1; generation <= 400; generation += 2) {
      pending.add(read(batch(generation, 1 << 20)));
      pending.add(read({ kind: 'manifest', generation: generation + 1, manifest: manifest(generation) }));
    }
    const bytes = pending.batches.reduce((sum, { parts }) => sum + (parts[0]?.byteLength ?? 0), 0);
    expect(bytes).toBeLessThan(100 << 20);
    expect(pending.manifest?.indexedThrough).toBe(399);
  });

  test('keeps what is not indexed, and begins again with it', () => {
    const pending = createPendingEvents();
    for (let generation = 1; generation <= 100; generation++) pending.add(read(batch(generation, 1 << 20)));
    pending.add(read({ kind: 'manifest', generation: 101, manifest: manifest(98) }));
    expect(pending.batches.map(({ generation }) => generation)).toEqual([99, 100]);
    expect(pending.reset).toBe(true);
  });

  test('is applied one by one where it is little: rows that are there already stay', () => {
    const pending = createPendingEvents();
    pending.add(read(batch(1, 100), { kind: 'manifest', generation: 2, manifest: manifest(1) }, batch(3, 100)));
    expect(pending.batches.map(({ generation }) => generation)).toEqual([1, 3]);
    expect(pending.reset).toBe(false);
  });
});
