/**
 * Numbers words given as ASCII bytes: 0, 1, 2, … in order of their first appearance. Open addressing over typed arrays, so
 * that a word that was seen before costs neither a string nor an object.
 */
export interface WordTable {
  /** The number of bytes[start, end); equal to the former `size` when it is new. */
  numberOf(bytes: Uint8Array, start: number, end: number): number;
  readonly size: number;
}

export function createWordTable(): WordTable {
  let slotCount = 1 << 12;
  let slots = new Int32Array(slotCount).fill(-1);
  let hashes = new Int32Array(1 << 11);
  let starts = new Uint32Array((1 << 11) + 1);
  let pool = new Uint8Array(1 << 14);
  let size = 0;

  const equals = (word: number, bytes: Uint8Array, start: number, end: number): boolean => {
    const from = starts[word] as number;
    if ((starts[word + 1] as number) - from !== end - start) return false;
    for (let i = 0; i < end - start; i++) if (pool[from + i] !== bytes[start + i]) return false;
    return true;
  };

  const growSlots = (): void => {
    slotCount *= 2;
    slots = new Int32Array(slotCount).fill(-1);
    for (let word = 0; word < size; word++) {
      let slot = (hashes[word] as number) & (slotCount - 1);
      while (slots[slot] !== -1) slot = (slot + 1) & (slotCount - 1);
      slots[slot] = word;
    }
  };

  const insert = (slot: number, hash: number, bytes: Uint8Array, start: number, end: number): number => {
    const word = size++;
    slots[slot] = word;
    if (word === hashes.length) {
      hashes = grown(hashes, new Int32Array(2 * hashes.length));
      starts = grown(starts, new Uint32Array(hashes.length + 1));
    }
    hashes[word] = hash;
    const from = starts[word] as number;
    const to = from + end - start;
    if (to > pool.length) pool = grown(pool, new Uint8Array(2 * to));
    for (let i = 0; i < end - start; i++) pool[from + i] = bytes[start + i] as number;
    starts[word + 1] = to;
    if (2 * size > slotCount) growSlots();
    return word;
  };

  return {
    numberOf(bytes, start, end) {
      const hash = hashOf(bytes, start, end);
      let slot = hash & (slotCount - 1);
      for (;;) {
        const word = slots[slot] as number;
        if (word === -1) return insert(slot, hash, bytes, start, end);
        if (hashes[word] === hash && equals(word, bytes, start, end)) return word;
        slot = (slot + 1) & (slotCount - 1);
      }
    },
    get size() {
      return size;
    },
  };
}

/** FNV-1a (Fowler, Noll, Vo), mixed once more because the table uses the low bits. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return hash ^ (hash >>> 15);
}

function grown<T extends Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(
  from: T,
  larger: T,
): T {
  larger.set(from);
  return larger;
}
