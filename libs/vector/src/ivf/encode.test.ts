import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { loadKernelModule } from '../wasm-kernels.ts';
import { createBuildMemory } from './build-memory.ts';
import { type EncodeTask, runBuildTask } from './build-tasks.ts';
import { instantiateBuild } from './build-wasm.ts';
import { fromHalf, toHalf } from './half-float.ts';
import { writeBooks } from './learn-code.ts';
import { int8Stride, listBytes, pq4SubCount } from './list-layout.ts';

const memory = createBuildMemory();
const wasm = instantiateBuild(loadKernelModule(), memory.memory);

interface Sample {
  readonly codec: 'int8' | 'pq4';
  readonly dims: number;
  readonly listRows: readonly number[];
  readonly withTerms: boolean;
  readonly seed: number;
}

interface Encoded {
  readonly codes: Uint8Array;
  readonly rows: Float32Array;
  readonly centroids: Float32Array;
  readonly scales: Float32Array;
  readonly codebook: Float32Array;
}

/** Lists of random rows, coded by the kernels; list i has leaf i. */
function encode({ codec, dims, listRows, withTerms, seed }: Sample): Encoded {
  const random = xorshift(seed);
  const reals = (count: number, size: number) => new Float32Array(count).map(() => (random() - 0.5) * size);
  const rowCount = listRows.reduce((sum, rows) => sum + rows, 0);
  const mark = memory.mark();
  const put = (values: Float32Array) => {
    const offset = memory.take(values.byteLength);
    memory.f32(offset, values.length).set(values);
    return offset;
  };
  const rows = reals(rowCount * dims, 4);
  const centroids = reals(listRows.length * dims, 2).map((value) => fromHalf(toHalf(value)));
  const scales = reals(dims, 0.05).map((value) => (value < -0.02 ? 0 : Math.abs(value)));
  const codebook = reals(pq4SubCount(dims) * 32, 4);
  const last = codebook.length - 32;
  if (dims % 2 === 1) for (let code = 0; code < 16; code++) codebook[last + 2 * code + 1] = 0;
  const books = new Float32Array((codebook.length / 2) * 3);
  writeBooks(books, codebook);
  const lists = memory.take(listRows.length * 8);
  memory.u32(lists, listRows.length * 2).set(listRows.flatMap((count, leaf) => [leaf, count]));
  const metric = withTerms ? 'euclidean_squared' : 'dot_product';
  const size = listRows.reduce((sum, count) => sum + listBytes(codec, metric, dims, count), 0);
  const codes = memory.take(size);
  const inverse = scales.map((scale) => (scale > 0 ? 1 / scale : 0));
  const task: EncodeTask = {
    ...{ kind: 'encode', codec, dims, unit: false, withTerms, listCount: listRows.length, lists, codes },
    ...{ rows: put(rows), centroids: put(centroids) },
    ...{ scales: put(scales), inverseScales: put(inverse), books: put(books) },
  };
  memory.u8(codes, size).fill(0x55);
  runBuildTask(wasm, memory.memory, task);
  memory.release(mark);
  return { codes: memory.u8(codes, size).slice(), rows, centroids, scales, codebook };
}

/** The same by the definitions in docs/formats/segment-lists.v1.md. */
function define(sample: Sample, { rows, centroids, scales, codebook }: Encoded): Uint8Array {
  const { codec, dims, listRows, withTerms } = sample;
  const parts: Uint8Array[] = [];
  let first = 0;
  listRows.forEach((rowCount, leaf) => {
    const residual = (row: number, d: number) =>
      d >= dims ? 0 : Math.fround((rows[(first + row) * dims + d] as number) - (centroids[leaf * dims + d] as number));
    const width = codec === 'int8' ? int8Stride(dims) * rowCount : Math.ceil(rowCount / 32) * pq4SubCount(dims) * 16;
    const codes = new Uint8Array(width);
    const terms = new Float32Array(rowCount);
    for (let row = 0; row < rowCount; row++) {
      let term = 0;
      for (let d = 0; d < dims; d++) {
        let value: number;
        if (codec === 'int8') {
          const inverse = scales[d] === 0 ? 0 : Math.fround(1 / (scales[d] as number));
          const code = Math.max(-127, Math.min(127, roundEven(Math.fround(residual(row, d) * inverse))));
          codes[row * int8Stride(dims) + d] = code;
          value = code * (scales[d] as number);
        } else {
          const sub = d >> 1;
          const code = nearestCode(residual(row, sub * 2), residual(row, sub * 2 + 1), codebook, sub);
          const at = ((row >> 5) * pq4SubCount(dims) + sub) * 16 + (row & 15);
          if (d % 2 === 0) codes[at] = (codes[at] as number) | (code << (row & 16 ? 4 : 0));
          value = codebook[(sub * 16 + code) * 2 + (d & 1)] as number;
        }
        term += value * (value + 2 * (centroids[leaf * dims + d] as number));
      }
      terms[row] = term;
    }
    parts.push(codes, ...(withTerms ? [new Uint8Array(terms.buffer)] : []));
    first += rowCount;
  });
  return Uint8Array.from(parts.flatMap((part) => Array.from(part)));
}

function nearestCode(x: number, y: number, codebook: Float32Array, sub: number): number {
  let best = 0;
  let highest = Number.NEGATIVE_INFINITY;
  for (let code = 0; code < 16; code++) {
    const [bookX, bookY] = [codebook[(sub * 16 + code) * 2] as number, codebook[(sub * 16 + code) * 2 + 1] as number];
    const half = Math.fround((bookX * bookX + bookY * bookY) / 2);
    const score = Math.fround(Math.fround(Math.fround(x * bookX) + Math.fround(y * bookY)) - half);
    if (score <= highest) continue;
    highest = score;
    best = code;
  }
  return best;
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
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

const samples: fc.Arbitrary<Sample> = fc.record({
  codec: fc.constantFrom('int8', 'pq4'),
  dims: fc.integer({ min: 1, max: 20 }),
  listRows: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
  withTerms: fc.boolean(),
  seed: fc.integer(),
});

describe('codes of lists', () => {
  test('are what the format says, for any rows, centroids and parameters', () => {
    fc.assert(
      fc.property(samples, (sample) => {
        const encoded = encode(sample);
        expect(Buffer.from(encoded.codes).toString('hex')).toBe(Buffer.from(define(sample, encoded)).toString('hex'));
      }),
      { numRuns: 40 },
    );
  });

  test('are those of the golden file', () => {
    const golden = JSON.parse(readFileSync(new URL('../../golden/lists.v1.json', import.meta.url), 'utf8'));
    for (const { sample, codes } of golden as readonly { sample: Sample; codes: string }[]) {
      expect(Buffer.from(encode(sample).codes).toString('base64')).toBe(codes);
    }
    expect(golden).toHaveLength(4);
  });
});

describe('f16', () => {
  test('is exact from every half and back, and rounds to the nearest, ties to even', () => {
    const wrong: number[] = [];
    for (let half = 0; half < 0x7bff; half++) {
      const same = toHalf(fromHalf(half)) === half && toHalf(fromHalf(half | 0x8000)) === (half | 0x8000);
      const even = half % 2 === 0 ? half : half + 1;
      if (!same || toHalf((fromHalf(half) + fromHalf(half + 1)) / 2) !== even) wrong.push(half);
    }
    expect(wrong).toEqual([]);
    expect([1e6, -1e6, 65_519, 1e-9].map(toHalf)).toEqual([0x7bff, 0xfbff, 0x7bff, 0]);
  });
});
