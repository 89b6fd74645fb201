import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Arena, ArenaBlock } from './arena.ts';
import { classSize, createExtentHeap } from './extent-heap.ts';
import { createArena } from './shared-arena.ts';

const mib = 1024 ** 2;

/** No two blocks share a byte; each is aligned, inside its memory, and after the scratch. */
function expectDisjoint(arena: Arena, blocks: Iterable<ArenaBlock>): void {
  const sorted = [...blocks].toSorted((a, b) => a.memoryIndex - b.memoryIndex || a.offset - b.offset);
  let end = 0;
  let memoryIndex = -1;
  for (const block of sorted) {
    if (block.memoryIndex !== memoryIndex) end = arena.scratch.offset + arena.scratch.size;
    memoryIndex = block.memoryIndex;
    expect(block.offset).toBeGreaterThanOrEqual(end);
    expect(block.offset % 64).toBe(0);
    expect(block.offset).toBeGreaterThan(0);
    end = block.offset + block.size;
    expect(end).toBeLessThanOrEqual(arena.memories[memoryIndex]?.buffer.byteLength ?? 0);
  }
}

function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

describe('arena', () => {
  test('hands out disjoint blocks whose bytes survive everything else that happens', () => {
    const operations = fc.array(
      fc.record({ kind: fc.constantFrom('allocate', 'allocate', 'free'), size: fc.nat(200_000), pick: fc.nat() }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(operations, fc.constantFrom(0, 100_000), (steps, scratchBytes) => {
        const arena = createArena({ budgetBytes: 6 * mib, memoryBytesMax: 2 * mib, scratchBytes });
        const live: ArenaBlock[] = [];
        for (const [index, step] of steps.entries()) {
          if (step.kind === 'allocate') {
            const block = arena.allocate(step.size);
            if (block === undefined) continue;
            expect(block.bytes.byteLength).toBe(step.size);
            block.bytes.fill(index % 251);
            live.push(block);
          } else if (live.length > 0) {
            arena.free(live.splice(step.pick % live.length, 1)[0] as ArenaBlock);
          }
        }
        expectDisjoint(arena, live);
        for (const block of live) expect(new Set(block.bytes).size).toBeLessThanOrEqual(1);
        expect(arena.usage.reservedBytes).toBeLessThanOrEqual(arena.usage.budgetBytes);
        const sizes = arena.memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
        expect(arena.usage.reservedBytes).toBe(sizes);
        for (const block of live) arena.free(block);
        expect(arena.usage.allocatedBytes).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  test('takes nothing from the system until a block is asked for, then little at a time', () => {
    const arena = createArena({ budgetBytes: 8 * 1024 ** 3 });
    expect(arena.usage.reservedBytes).toBe(0);
    arena.allocate(100);
    expect(arena.usage.reservedBytes).toBeLessThanOrEqual(2 * mib);
  });

  test('keeps ten thousand one-row blocks in a few MiB', () => {
    const arena = createArena({ budgetBytes: 64 * mib });
    for (let i = 0; i < 10_000; i++) expect(arena.allocate(200 + (i % 100))).toBeDefined();
    expect(arena.usage.reservedBytes).toBeLessThanOrEqual(4 * mib);
  });

  test('serves blocks of 512 MiB and gives nothing past the budget or the largest block', () => {
    const arena = createArena({ budgetBytes: 1100 * mib });
    const block = arena.allocate(512 * mib);
    expect(block?.bytes.byteLength).toBe(512 * mib);
    expect(arena.allocate(2 ** 40)).toBeUndefined();
    expect(arena.allocate(arena.blockBytesMax)).toBeUndefined();
    expect(arena.memories).toHaveLength(1);
    expect(arena.allocate(512 * mib)).toBeDefined(); // beside what is left of the first memory: in a second one
    expect(arena.memories).toHaveLength(2);
    expect(arena.allocate(512 * mib)).toBeUndefined();
  });

  test('uses freed room before it grows, and joins neighbours into room for a large block', () => {
    const arena = createArena({ budgetBytes: 16 * mib });
    const small = Array.from({ length: 100 }, () => arena.allocate(100_000) as ArenaBlock);
    const { reservedBytes } = arena.usage;
    for (const block of small.toSorted((a, b) => (a.offset % 7) - (b.offset % 7))) arena.free(block);
    expect(arena.allocate(9 * mib)).toBeDefined();
    expect(arena.usage.reservedBytes).toBe(reservedBytes);
  });

  test('refuses to free a block twice, or one that is not its own', () => {
    const arena = createArena({ budgetBytes: mib });
    const block = arena.allocate(10) as ArenaBlock;
    arena.free(block);
    expect(() => arena.free(block)).toThrow('was not freed before');
    expect(() => arena.free({ ...block })).toThrow('is of this arena');
  });

  test('says which options are out of bounds', () => {
    expect(() => createArena({ budgetBytes: 1 })).toThrow('arena budget');
    expect(() => createArena({ budgetBytes: Number.NaN })).toThrow('arena budget');
    expect(() => createArena({ budgetBytes: mib, memoryBytesMax: 4 * 1024 ** 3 })).toThrow('arena memories');
  });

  test('keeps at least 80 % of a churned budget in blocks when the oldest make room, as a cache does', () => {
    const arena = createArena({ budgetBytes: 64 * mib });
    const random = xorshift(42);
    const live: ArenaBlock[] = [];
    let worst = 1;
    for (let i = 0; i < 20_000; i++) {
      // From 256 B to 4 MiB, as often in each doubling: one-row tail batches beside large parts of segments.
      const size = Math.floor(256 * 2 ** (random() * 14));
      let block = arena.allocate(size);
      const evicted = block === undefined;
      while (block === undefined) {
        arena.free(live.shift() as ArenaBlock);
        block = arena.allocate(size);
      }
      live.push(block);
      if (evicted) worst = Math.min(worst, live.reduce((sum, one) => sum + one.size, 0) / (64 * mib));
      if (evicted) i += 20; // the sum is slow; a sample is enough
    }
    expect(worst).toBeGreaterThan(0.8);
  });
});

describe('extent heap', () => {
  test('loses at most one part in 32 of a block to its size class', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), (size) => {
        const taken = classSize(size);
        expect(taken).toBeGreaterThanOrEqual(size);
        expect(taken % 64).toBe(0);
        expect(taken - size).toBeLessThanOrEqual(Math.max(63, size / 32));
        expect(classSize(taken)).toBe(taken);
      }),
    );
  });

  test('is one extent again when everything was given back, in any order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 50 }), fc.integer(), (sizes, seed) => {
        const heap = createExtentHeap();
        heap.give(64, mib);
        const taken = sizes.map((size) => ({ size: classSize(size), start: heap.take(classSize(size)) }));
        const random = xorshift(seed);
        for (const one of taken.toSorted(() => random() - 0.5)) heap.give(one.start as number, one.size);
        expect(heap.freeBytes).toBe(mib);
        expect(heap.largestFreeBytes).toBe(mib);
        expect(heap.take(mib)).toBe(64);
        expect(heap.take(64)).toBeUndefined();
      }),
    );
  });
});
