import { compareIds, type IdColumn } from '@lagoon/format';

/**
 * Where the newest row of an id is, over all tail blocks: an open-addressing hash table of (block, row) that compares ids in
 * place, so it holds no object per row. Blocks are named by the number that they were given when added.
 */
export interface TailIndex {
  /** Makes the rows of a block the newest of their ids; calls back with the place that each one supersedes. */
  upsert(block: number, ids: IdColumn, onSuperseded: (block: number, row: number) => void): void;
  /** Calls back with the place of every one of these ids that has a row; `index` is that of the id. */
  find(ids: IdColumn, onFound: (block: number, row: number, index: number) => void): void;
}

const slotCountMin = 1024;

export function createTailIndex(): TailIndex {
  const columns: IdColumn[] = [];
  let slots = createSlots(slotCountMin);
  let count = 0;

  /** The slot of the id, or the empty one where it belongs. */
  const slotOf = (ids: IdColumn, row: number): number => {
    const mask = slots.blocks.length - 1;
    let slot = hashId(ids, row) & mask;
    for (;;) {
      const block = (slots.blocks[slot] as number) - 1;
      if (block < 0) return slot;
      if (compareIds(columns[block] as IdColumn, slots.rows[slot] as number, ids, row) === 0) return slot;
      slot = (slot + 1) & mask;
    }
  };
  const grow = (): void => {
    const previous = slots;
    slots = createSlots(previous.blocks.length * 2);
    const mask = slots.blocks.length - 1;
    for (let i = 0; i < previous.blocks.length; i++) {
      const block = previous.blocks[i] as number;
      if (block === 0) continue;
      const row = previous.rows[i] as number;
      let slot = hashId(columns[block - 1] as IdColumn, row) & mask;
      while (slots.blocks[slot] !== 0) slot = (slot + 1) & mask; // ids are distinct: no comparison
      slots.blocks[slot] = block;
      slots.rows[slot] = row;
    }
  };
  return {
    upsert: (block, ids, onSuperseded) => {
      columns[block] = ids;
      for (let row = 0; row < ids.count; row++) {
        if (count * 2 >= slots.blocks.length) grow();
        const slot = slotOf(ids, row);
        const present = (slots.blocks[slot] as number) - 1;
        if (present >= 0) onSuperseded(present, slots.rows[slot] as number);
        else count++;
        slots.blocks[slot] = block + 1;
        slots.rows[slot] = row;
      }
    },
    find: (ids, onFound) => {
      for (let row = 0; row < ids.count; row++) {
        const slot = slotOf(ids, row);
        const present = (slots.blocks[slot] as number) - 1;
        if (present >= 0) onFound(present, slots.rows[slot] as number, row);
      }
    },
  };
}

/** `blocks` holds block + 1; 0 is an empty slot. */
interface Slots {
  readonly blocks: Uint32Array;
  readonly rows: Uint32Array;
}

function createSlots(count: number): Slots {
  return { blocks: new Uint32Array(count), rows: new Uint32Array(count) };
}

function hashId(ids: IdColumn, row: number): number {
  switch (ids.idKind) {
    case 'u64': {
      const value = ids.values[row] as bigint;
      return finish(Number(value & 0xffffffffn) ^ Math.imul(Number(value >> 32n), 0x9e3779b1));
    }
    case 'uuid':
      return hashRange(ids.bytes, 16 * row, 16 * row + 16);
    case 'string':
      return hashRange(ids.bytes, ids.offsets[row] as number, ids.offsets[row + 1] as number);
  }
}

/** FNV-1a, 32 bits. */
function hashRange(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return finish(hash);
}

/** Spreads every bit over the low ones (finalizer of MurmurHash3, Appleby). */
function finish(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
