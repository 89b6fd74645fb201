import { alignUp, LagoonError } from '@lagoon/base';

/**
 * The memory of one build, shared with its threads. Regions are taken one behind the other; everything taken after a
 * mark is given back at once.
 */
export interface BuildMemory {
  readonly memory: WebAssembly.Memory;
  /** Offset of a new region of zeros or leftovers, 64-byte aligned. `resource_exhausted` past 4 GiB. */
  take(size: number): number;
  mark(): number;
  release(mark: number): void;
  f32(offset: number, count: number): Float32Array;
  f64(offset: number, count: number): Float64Array;
  u32(offset: number, count: number): Uint32Array;
  u8(offset: number, count: number): Uint8Array;
}

const pageBytes = 65_536;
const pageCountMax = 65_536;

export function createBuildMemory(): BuildMemory {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: pageCountMax, shared: true });
  let end = 64; // 0 says "none"
  return {
    memory,
    take: (size) => {
      const offset = end;
      end = alignUp(offset + size, 64);
      const pages = Math.ceil(end / pageBytes);
      const missing = pages - memory.buffer.byteLength / pageBytes;
      if (missing > 0) grow(memory, pages, missing);
      return offset;
    },
    mark: () => end,
    release: (mark) => {
      end = mark;
    },
    f32: (offset, count) => new Float32Array(memory.buffer, offset, count),
    f64: (offset, count) => new Float64Array(memory.buffer, offset, count),
    u32: (offset, count) => new Uint32Array(memory.buffer, offset, count),
    u8: (offset, count) => new Uint8Array(memory.buffer, offset, count),
  };
}

function grow(memory: WebAssembly.Memory, pages: number, missing: number): void {
  try {
    if (pages > pageCountMax) throw new RangeError('past the largest memory');
    memory.grow(missing);
  } catch (cause) {
    throw new LagoonError('resource_exhausted', 'no memory to build an index', {
      context: { bytes: pages * pageBytes },
      cause,
    });
  }
}
