import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { inverseNorm } from '../inverse-norm.ts';
import type { DistanceMetric } from '../metric.ts';
import { createArena } from '../shared-arena.ts';
import { createKernels, loadKernelModule, scratchBytes } from '../wasm-kernels.ts';
import type { LeafBlock, ListCodec, ListScorer, ListSearch, ProbedLists, ScorerMemory } from './contract.ts';
import { toHalf } from './half-float.ts';
import { listBytes, pq4SubCount } from './list-layout.ts';
import { createListScorer } from './list-scorer.ts';
import { createScalarListScorer } from './scalar-list-scorer.ts';
import { listScratchBytes } from './scorer-scratch.ts';

const metrics: readonly DistanceMetric[] = ['cosine_distance', 'euclidean_squared', 'dot_product'];
const codecs: readonly ListCodec[] = ['flat', 'int8', 'pq4'];
const elements = ['f32', 'f16', 'i8'] as const;
const module = loadKernelModule();

/** Two memories, so that a search moves between them; blocks are taken from the end backwards. */
const memoryBytes = 16 << 20;
const memories = [0, 1].map(() => {
  const memory = new WebAssembly.Memory({ initial: memoryBytes >> 16, maximum: memoryBytes >> 16, shared: true });
  return { memory, scratch: { offset: 64, size: listScratchBytes() } };
});
const memoryAt = (index: number): ScorerMemory => memories[index] as ScorerMemory;
const scorer = createListScorer(module, memoryAt);
const scalar = createScalarListScorer((index) => memoryAt(index).memory);
const blocksFrom = 64 + listScratchBytes() + 64;

interface Shape {
  readonly codec: ListCodec;
  readonly element: (typeof elements)[number];
  readonly metric: DistanceMetric;
  readonly dims: number;
  readonly listRows: readonly number[];
  readonly seed: number;
  /** Magnitude of query, codebooks, scales and distances. */
  readonly size: number;
  readonly distinctValues: number;
  readonly misalignment: number;
  readonly maskShare: number | undefined;
  readonly candidatesMax: number;
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  codec: fc.constantFrom(...codecs),
  element: fc.constantFrom(...elements),
  metric: fc.constantFrom(...metrics),
  dims: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constantFrom(63, 64, 65, 100, 128)),
  listRows: fc.array(fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constantFrom(31, 32, 33, 100)), { maxLength: 5 }),
  seed: fc.integer(),
  size: fc.constantFrom(1, 1e-6, 1e4),
  distinctValues: fc.constantFrom(1, 2, 256),
  misalignment: fc.constantFrom(0, 4, 8, 12),
  maskShare: fc.constantFrom(undefined, 0, 0.02, 0.5, 1),
  candidatesMax: fc.constantFrom(1, 3, 10, 100, 5000),
});

interface Placed {
  readonly search: ListSearch;
  readonly segments: readonly ProbedLists[];
}

/** Two segments with random codes, one in each memory, the lists of each in random order. */
function place(shape: Shape): Placed {
  const random = xorshift(shape.seed);
  const real = () =>
    Math.fround((Math.floor(random.float() * shape.distinctValues) / shape.distinctValues - 0.4) * shape.size);
  const { element } = shape;
  const byte = () => Math.floor(random.float() * shape.distinctValues) - (shape.distinctValues >> 1) || 1;
  const query = element === 'i8' ? new Int8Array(shape.dims).map(byte) : new Float32Array(shape.dims).map(real);
  const search: ListSearch = {
    ...{ metric: shape.metric, dims: shape.dims, query, candidatesMax: shape.candidatesMax },
    ...(random.float() < 0.3 ? { distanceBound: real() } : {}),
  };
  const segments = [0, 1].map((memoryIndex) => placeSegment(shape, memoryIndex, random, real));
  return { search, segments };
}

function placeSegment(shape: Shape, memoryIndex: number, random: Xorshift, real: () => number): ProbedLists {
  const { codec, metric, dims, element, listRows } = shape;
  const { memory } = memoryAt(memoryIndex);
  const starts = listRows.map((_, i) => listRows.slice(0, i).reduce((sum, rows) => sum + rows, 0));
  const rowCount = listRows.reduce((sum, rows) => sum + rows, 0);
  let end = memoryBytes - shape.misalignment; // every list ends where the next thing begins
  const take = (size: number) => {
    end = (end - size) & ~3;
    if (end < blocksFrom) throw new Error('the test memory is full');
    return end;
  };
  const offsets = listRows.map((rows) => {
    const size =
      codec === 'flat' ? rows * dims * { f32: 4, f16: 2, i8: 1 }[element] : listBytes(codec, metric, dims, rows);
    const offset = take(size);
    fillList(new DataView(memory.buffer, offset, size), shape, rows, random, real);
    return offset;
  });
  const inverseNormOffsets = listRows.map((rows) => {
    const offset = take(rows * 4);
    new Float32Array(memory.buffer, offset, rows).fill(Math.fround(1 / shape.size));
    return offset;
  });
  const mask = new Uint8Array(Math.ceil(rowCount / 8));
  for (let row = 0; row < rowCount; row++) {
    if (random.float() < (shape.maskShare ?? 1)) mask[row >> 3] = (mask[row >> 3] as number) | (1 << (row & 7));
  }
  return {
    memoryIndex,
    code: codeOf(codec, dims, real),
    element,
    rowBase: 100_000 * memoryIndex,
    starts: Uint32Array.from(starts),
    rowCounts: Uint32Array.from(listRows),
    offsets: Uint32Array.from(offsets),
    ...(codec === 'flat' && metric === 'cosine_distance'
      ? { inverseNormOffsets: Uint32Array.from(inverseNormOffsets) }
      : {}),
    leafDistances: new Float32Array(listRows.length).map(real),
    ...(shape.maskShare === undefined ? {} : { positionMask: mask }),
  };
}

function fillList(view: DataView, shape: Shape, rows: number, random: Xorshift, real: () => number): void {
  const { codec, dims, element } = shape;
  const integer = (bound: number) => Math.floor(random.float() * bound);
  if (codec === 'flat' && element !== 'i8') {
    for (let i = 0; i < rows * dims; i++) {
      if (element === 'f32') view.setFloat32(i * 4, real(), true);
      else view.setUint16(i * 2, toHalf(real()), true);
    }
    return;
  }
  const terms = codec !== 'flat' && shape.metric === 'euclidean_squared' ? rows * 4 : 0;
  for (let i = 0; i < view.byteLength - terms; i++) {
    view.setInt8(i, codec === 'int8' ? integer(255) - 127 : integer(256) - 128);
  }
  for (let i = view.byteLength - terms; i < view.byteLength; i += 4) view.setFloat32(i, real(), true);
}

function codeOf(codec: ListCodec, dims: number, real: () => number): ProbedLists['code'] {
  if (codec === 'flat') return { codec };
  if (codec === 'int8') return { codec, scales: new Float32Array(dims).map(real) };
  return { codec, codebook: new Float32Array(pq4SubCount(dims) * 32).map(real) };
}

function bits(values: Float32Array): readonly number[] {
  return Array.from(new Uint32Array(values.buffer, values.byteOffset, values.length));
}

function run(on: ListScorer, { search, segments }: Placed) {
  on.begin(search);
  for (const segment of segments) on.score(segment);
  const { numbers, distances } = on.finish();
  return { numbers: Array.from(numbers), distances: bits(distances) };
}

describe('the scorer of lists', () => {
  test('equals the scalar one in every bit, for any codec, metric, mask, bound and number of candidates', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const placed = place(shape);
        expect(run(scorer, placed)).toEqual(run(scalar, placed));
      }),
      { numRuns: 400 },
    );
  });

  test.each([1, 257, 258, 384, 1536, 5376])('sums %i sub-quantizers of extreme tables without overflow', (subCount) => {
    for (const metric of metrics) {
      for (const size of subCount < 1000 ? [1, 1e15, 1e-15] : [1e15]) {
        const shape = {
          codec: 'pq4',
          element: 'f32',
          metric,
          dims: subCount * 2,
          listRows: [70],
          seed: subCount,
        } as const;
        const placed = place({
          ...shape,
          ...{ size, distinctValues: 256, misalignment: 0, maskShare: undefined, candidatesMax: 100 },
        });
        const [segment] = placed.segments;
        if (segment?.code.codec !== 'pq4') throw new Error('lists of pq4');
        // One sub-quantizer is all that there is, or all are equally large; rows that take the largest entry everywhere.
        for (const alone of [true, false]) {
          const largest = segment.code.codebook.map((_, i) => (i % 32 >= 30 && (i < 32 || !alone) ? size : -size));
          const codes = new Uint8Array(memoryAt(0).memory.buffer, segment.offsets[0], subCount * 16);
          codes.fill(0xff, 0, subCount * 16);
          const extreme = {
            search: { ...placed.search, query: new Float32Array(subCount * 2).fill(-size), distanceBound: Infinity },
          };
          const segments = [{ ...segment, code: { codec: 'pq4', codebook: largest } as const }];
          expect(run(scorer, { ...extreme, segments })).toEqual(run(scalar, { ...extreme, segments }));
        }
        expect(run(scorer, placed)).toEqual(run(scalar, placed));
      }
    }
  });

  test('ranks lists of several codecs over rows of i8 in one search', () => {
    const shape: Omit<Shape, 'codec' | 'metric'> = {
      ...{ element: 'i8', dims: 21, listRows: [40, 33], seed: 9, size: 1, distinctValues: 256, misalignment: 4 },
      ...{ maskShare: undefined, candidatesMax: 30 },
    };
    for (const metric of metrics) {
      for (const [first, second] of [
        ['flat', 'pq4'],
        ['pq4', 'flat'],
        ['int8', 'flat'],
      ] as const) {
        const { search } = place({ ...shape, metric, codec: 'flat' });
        const random = xorshift(5);
        const segments = [first, second].map((codec, memoryIndex) =>
          placeSegment({ ...shape, metric, codec }, memoryIndex, random, () => random.float() - 0.5),
        );
        const { distanceBound: _, ...unbounded } = search;
        const found = run(scorer, { search: unbounded, segments });
        expect(found.numbers).toHaveLength(30);
        expect(found).toEqual(run(scalar, { search: unbounded, segments }));
      }
    }
  });

  test('serves the largest dims', () => {
    for (const codec of codecs) {
      const shape = {
        codec,
        element: 'f32',
        metric: 'euclidean_squared',
        dims: 10_752,
        listRows: [40],
        seed: 1,
      } as const;
      const placed = place({
        ...shape,
        size: 1,
        distinctValues: 256,
        misalignment: 4,
        maskShare: 0.5,
        candidatesMax: 10,
      });
      expect(run(scorer, placed)).toEqual(run(scalar, placed));
    }
  });

  test('approximates the distance that the codes say', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        fc.pre(shape.codec !== 'flat');
        const placed = place({ ...shape, candidatesMax: 5000, maskShare: undefined });
        const search = { ...placed.search, distanceBound: Number.POSITIVE_INFINITY };
        scorer.begin(search);
        for (const segment of placed.segments) scorer.score(segment);
        const { numbers, distances } = scorer.finish();
        const expected = decoded(placed);
        expect(numbers).toHaveLength(expected.size);
        const far = numbers.filter((number, i) => {
          const { distance, tolerance } = expected.get(number) as Decoded;
          return Math.abs((distances[i] as number) - distance) > tolerance;
        });
        expect(Array.from(far)).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  test('gives the distances of scattered rows that scans of the kernels give', () => {
    const arena = createArena({ budgetBytes: 64 << 20, scratchBytes: 2 * scratchBytes() + listScratchBytes() });
    const block = arena.allocate(1 << 20);
    const memory = arena.memories[0];
    if (block === undefined || memory === undefined) throw new Error('no memory');
    const kernels = createKernels(module, memory, arena.scratch);
    const own = { memory, scratch: { offset: arena.scratch.offset, size: arena.scratch.size } };
    const random = xorshift(3);
    for (const element of elements) {
      for (const metric of metrics) {
        const dims = 37;
        const rowCount = 1500;
        const rows = placeRows(memory, block.offset, element, rowCount * dims, () => random.float() - 0.5);
        const norms = Float32Array.from({ length: rowCount }, () => random.float());
        const inverseNormsOffset = block.offset + (1 << 19);
        new Float32Array(memory.buffer, inverseNormsOffset, rowCount).set(norms);
        const query = element === 'i8' ? new Int8Array(dims).fill(3) : new Float32Array(dims).map(() => random.float());
        const out = inverseNormsOffset + rowCount * 4;
        const place = { rowsOffset: block.offset, inverseNormsOffset };
        const scan = { metric, element, dims, rowCount, query, ...place, distanceBound: Infinity };
        kernels.distances(scan, out);
        const expected = new Float32Array(memory.buffer, out, rowCount).slice();
        const picked = Uint32Array.from({ length: 1200 }, () => random.integer(rowCount));
        const actual = createListScorer(module, () => own).distancesOf({
          ...{ metric, element, dims, query, memoryIndex: 0 },
          offsets: picked.map((row) => block.offset + row * rows.rowBytes),
          inverseNorms: Float32Array.from(picked, (row) => norms[row] as number),
        });
        expect(bits(actual)).toEqual(Array.from(picked, (row) => bits(expected)[row]));
      }
    }
  });

  test('finds the nearest leaves over all blocks', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...metrics),
        fc.integer({ min: 1, max: 70 }),
        fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 5 }),
        fc.constantFrom(1, 5, 1000),
        fc.boolean(),
        fc.integer(),
        (metric, dims, leafCounts, leavesMax, withTies, seed) => {
          const random = xorshift(seed);
          const value = () => (withTies ? random.integer(3) - 1 : random.float() - 0.5);
          const offsets = [blocksFrom, blocksFrom];
          const blocks = leafCounts.map((leafCount, i): LeafBlock => {
            const memoryIndex = i % 2;
            const centroidsOffset = offsets[memoryIndex] as number;
            offsets[memoryIndex] = centroidsOffset + leafCount * dims * 2;
            const halves = Uint16Array.from({ length: leafCount * dims }, () => toHalf(value()));
            new Uint16Array(memoryAt(memoryIndex).memory.buffer, centroidsOffset, halves.length).set(halves);
            return { memoryIndex, centroidsOffset, leafCount };
          });
          const query = new Float32Array(dims).map(value);
          const search = { metric, dims, query, leavesMax };
          expect(scorer.nearestLeaves(search, blocks)).toEqual(scalar.nearestLeaves(search, blocks));
        },
      ),
      { numRuns: 150 },
    );
  });

  test('fails an assertion when a distance is NaN', () => {
    const shape = {
      codec: 'flat',
      element: 'f32',
      metric: 'cosine_distance',
      dims: 4,
      listRows: [9, 9],
      seed: 1,
    } as const;
    const placed = place({
      ...shape,
      size: 1,
      distinctValues: 256,
      misalignment: 0,
      maskShare: undefined,
      candidatesMax: 3,
    });
    const norms = placed.segments[0]?.inverseNormOffsets?.[1] as number;
    new Float32Array(memoryAt(0).memory.buffer, norms, 9)[4] = Number.NaN;
    expect(() => run(scorer, placed)).toThrow('no distance is NaN');
  });
});

describe('the scorer refuses', () => {
  const shape = { codec: 'int8', element: 'f32', metric: 'dot_product', dims: 4, listRows: [9, 9], seed: 1 } as const;
  const placed = place({ ...shape, size: 1, distinctValues: 256, misalignment: 0, maskShare: 1, candidatesMax: 3 });
  const [lists] = placed.segments as readonly [ProbedLists];
  const scored = (changed: Partial<ProbedLists>) => () => {
    const fresh = createListScorer(module, memoryAt);
    fresh.begin(placed.search);
    fresh.score({ ...lists, ...changed });
  };

  test('lists that do not lie in memory, columns of unequal length, masks that are too short', () => {
    expect(scored({})).not.toThrow();
    expect(scored({ offsets: Uint32Array.of(0, memoryBytes - 4) })).toThrow('lists lie in memory');
    expect(scored({ rowCounts: Uint32Array.of(9) })).toThrow('equally long');
    expect(scored({ leafDistances: new Float32Array(1) })).toThrow('distance of its leaf');
    expect(scored({ positionMask: new Uint8Array(2) })).toThrow('mask covers');
    expect(scored({ code: { codec: 'int8', scales: new Float32Array(3) } })).toThrow('has a scale');
    expect(scored({ code: { codec: 'pq4', codebook: new Float32Array(3) } })).toThrow('codebook has the dims');
  });

  test('a second search while one is under way, and more candidates than fit its scratch', () => {
    const small = createListScorer(module, () => ({ ...memoryAt(0), scratch: { offset: 64, size: 20_000 } }));
    small.begin({ ...placed.search, candidatesMax: 5000 });
    expect(() => small.begin(placed.search)).toThrow('no other search');
    expect(() => small.score(lists)).toThrow('candidates fit their scratch');
  });
});

interface Xorshift {
  float(): number;
  integer(bound: number): number;
}

function xorshift(seed: number): Xorshift {
  let state = seed | 1;
  const float = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return { float, integer: (bound) => Math.floor(float() * bound) };
}

function placeRows(
  memory: WebAssembly.Memory,
  offset: number,
  element: (typeof elements)[number],
  count: number,
  value: () => number,
): { readonly rowBytes: number } {
  const rows =
    element === 'f32'
      ? new Float32Array(memory.buffer, offset, count)
      : element === 'f16'
        ? new Uint16Array(memory.buffer, offset, count)
        : new Int8Array(memory.buffer, offset, count);
  for (let i = 0; i < count; i++) rows[i] = { f32: value(), f16: toHalf(value()), i8: value() * 255 }[element];
  return { rowBytes: 37 * rows.BYTES_PER_ELEMENT };
}

interface Decoded {
  readonly distance: number;
  readonly tolerance: number;
}

/** Leaf's distance + Σ factor · query · residual + term, by the definition, in f64, and what the steps of query and table may change. */
function decoded({ search, segments }: Placed): Map<number, Decoded> {
  const { metric, dims } = search;
  const factor = metric === 'euclidean_squared' ? -2 : metric === 'dot_product' ? -1 : -inverseNorm(search.query);
  const query = Array.from(search.query, (value) => value * factor);
  const all = new Map<number, Decoded>();
  for (const { memoryIndex, code, starts, rowCounts, offsets, leafDistances, rowBase } of segments) {
    const view = new DataView(memoryAt(memoryIndex).memory.buffer);
    rowCounts.forEach((rows, list) => {
      const offset = offsets[list] as number;
      for (let row = 0; row < rows; row++) {
        const residual = residualOf(code, dims, view, offset, row);
        const terms = query.map((value, d) => value * (residual[d] as number));
        const size = listBytes(code.codec, metric, dims, rows);
        const term = metric === 'euclidean_squared' ? view.getFloat32(offset + size - (rows - row) * 4, true) : 0;
        const leaf = leafDistances[list] as number;
        const distance = leaf + terms.reduce((sum, value) => sum + value, 0) + term;
        all.set(rowBase + (starts[list] as number) + row, {
          distance,
          tolerance: toleranceOf(code, query, leaf, term),
        });
      }
    });
  }
  return all;
}

function residualOf(code: ProbedLists['code'], dims: number, view: DataView, offset: number, row: number): number[] {
  return Array.from({ length: dims }, (_, d) => {
    if (code.codec === 'int8') return (code.scales[d] as number) * view.getInt8(offset + row * ((dims + 15) & ~15) + d);
    if (code.codec !== 'pq4') throw new Error('flat lists have no residuals');
    const sub = d >> 1;
    const pair = view.getUint8(offset + ((row >> 5) * pq4SubCount(dims) + sub) * 16 + (row & 15));
    return code.codebook[(sub * 16 + (row & 16 ? pair >> 4 : pair & 15)) * 2 + (d & 1)] as number;
  });
}

function toleranceOf(code: ProbedLists['code'], query: readonly number[], leaf: number, term: number): number {
  const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const magnitude = query.reduce((sum, value) => sum + Math.abs(value), 0);
  const rounding = 1e-5;
  if (code.codec === 'int8') {
    const values = magnitude * largest(code.scales) * 127;
    return (values + Math.abs(leaf) + Math.abs(term)) * rounding + values / 2 ** 9 + 1e-30;
  }
  if (code.codec !== 'pq4') return 0;
  const spans = 2 * magnitude * largest(code.codebook);
  return (spans + Math.abs(leaf) + Math.abs(term)) * rounding + (spans * query.length) / 255 + 1e-30;
}
