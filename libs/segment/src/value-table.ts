/** Distinct keys, numbered as they come: a hash table over bytes, without an object per key. */
export interface ValueTable {
  readonly count: number;
  /** Bytes of all keys. */
  readonly byteCount: number;
  /** The number of a key, a new one where it was not there. */
  add(source: Uint8Array, start: number, end: number): number;
  /** `ranks[number]`: position of the key among all keys in their order; `order[rank]` the number. */
  sort(): { readonly ranks: Uint32Array; readonly order: Uint32Array };
  key(number: number): Uint8Array;
}

export function createValueTable(): ValueTable {
  let bytes = new Uint8Array(1 << 12);
  let offsets = new Uint32Array(1 << 8);
  let hashes = new Uint32Array(1 << 8);
  let slots = new Uint32Array(1 << 9); // number + 1; 0 = free
  let count = 0;

  const grow = (): void => {
    offsets = longer(offsets);
    hashes = longer(hashes);
    slots = new Uint32Array(2 * slots.length);
    const mask = slots.length - 1;
    for (let number = 0; number < count; number++) {
      let slot = (hashes[number] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
  };
  const equals = (number: number, source: Uint8Array, start: number, end: number): boolean => {
    const at = offsets[number] as number;
    if ((offsets[number + 1] as number) - at !== end - start) return false;
    for (let i = start; i < end; i++) if (source[i] !== bytes[at + i - start]) return false;
    return true;
  };
  const append = (source: Uint8Array, start: number, end: number): void => {
    const at = offsets[count] as number;
    if (at + end - start > bytes.length) {
      const larger = new Uint8Array(2 * (at + end - start));
      larger.set(bytes.subarray(0, at));
      bytes = larger;
    }
    for (let i = start; i < end; i++) bytes[at + i - start] = source[i] as number;
    offsets[count + 1] = at + end - start;
  };
  return {
    get count() {
      return count;
    },
    get byteCount() {
      return offsets[count] as number;
    },
    add: (source, start, end) => {
      if (count + 2 > hashes.length) grow();
      const hash = hashOf(source, start, end);
      const mask = slots.length - 1;
      let slot = hash & mask;
      for (; slots[slot] !== 0; slot = (slot + 1) & mask) {
        const number = (slots[slot] as number) - 1;
        if (hashes[number] === hash && equals(number, source, start, end)) return number;
      }
      append(source, start, end);
      hashes[count] = hash;
      slots[slot] = count + 1;
      return count++;
    },
    sort: () => {
      const order = sortKeys(bytes, offsets, count);
      const ranks = new Uint32Array(count);
      for (let rank = 0; rank < count; rank++) ranks[order[rank] as number] = rank;
      return { ranks, order };
    },
    key: (number) => bytes.subarray(offsets[number], offsets[number + 1]),
  };
}

function longer(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length);
  larger.set(array);
  return larger;
}

/** FNV-1a, then MurmurHash3's finalizer, for the table looks at low bits. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Below, comparing all keys costs less than the passes. */
const radixCountMin = 2_048;

/**
 * Numbers in the order of their keys: by the first eight bytes in radix passes of 16 bits, which is all for numbers, then those
 * that agree in them by comparing the rest.
 */
function sortKeys(bytes: Uint8Array, offsets: Uint32Array, count: number): Uint32Array {
  const compare = (a: number, b: number): number =>
    Buffer.compare(bytes.subarray(offsets[a], offsets[a + 1]), bytes.subarray(offsets[b], offsets[b + 1]));
  let order = Uint32Array.from({ length: count }, (_, number) => number);
  if (count < radixCountMin) return order.sort(compare);
  const heads = new Uint16Array(4 * count); // big-endian words of the first eight bytes, zeros behind short keys
  for (let number = 0; number < count; number++) {
    const start = offsets[number] as number;
    const end = offsets[number + 1] as number;
    for (let word = 0, at = start; word < 4 && at < end; word++, at += 2) {
      const low = at + 1 < end ? (bytes[at + 1] as number) : 0;
      heads[4 * number + word] = ((bytes[at] as number) << 8) | low;
    }
  }
  for (let word = 3; word >= 0; word--) order = radixPass(order, heads, word);
  for (let from = 0; from < count; ) {
    let to = from + 1;
    while (to < count && sameHead(heads, order[from] as number, order[to] as number)) to++;
    if (to - from > 1) order.subarray(from, to).sort(compare);
    from = to;
  }
  return order;
}

function radixPass(order: Uint32Array<ArrayBuffer>, heads: Uint16Array, word: number): Uint32Array<ArrayBuffer> {
  const starts = new Uint32Array((1 << 16) + 1);
  for (const number of order) (starts[(heads[4 * number + word] as number) + 1] as number)++;
  const [first] = order;
  if (first === undefined || starts[(heads[4 * first + word] as number) + 1] === order.length) return order;
  for (let value = 0; value < 1 << 16; value++) (starts[value + 1] as number) += starts[value] as number;
  const sorted = new Uint32Array(order.length);
  for (const number of order) {
    const value = heads[4 * number + word] as number;
    sorted[starts[value] as number] = number;
    (starts[value] as number)++;
  }
  return sorted;
}

function sameHead(heads: Uint16Array, a: number, b: number): boolean {
  for (let word = 0; word < 4; word++) if (heads[4 * a + word] !== heads[4 * b + word]) return false;
  return true;
}
