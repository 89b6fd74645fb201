import { assert } from '@lagoon/base';
import { instantiateLists, type ListWasm } from './list-wasm.ts';

type Numbers = readonly number[];
type Kernel<Arguments extends Numbers> = (...values: Arguments) => void;

/** What `kernels/assembly/{cluster,encode}.ts` export, for builds; see there for the meaning. */
export interface BuildWasm extends ListWasm {
  /** Of `kernels/assembly/scan.ts`. */
  readonly distances: Kernel<
    [
      metric: number,
      element: number,
      dims: number,
      rowCount: number,
      rows: number,
      inverseNorms: number,
      query: number,
      queryInverseNorm: number,
      out: number,
    ]
  >;
  readonly packPanels: Kernel<[centroids: number, count: number, dims: number, panels: number]>;
  readonly packBiases: Kernel<[centroids: number, count: number, dims: number, unit: number, biases: number]>;
  readonly assignNearest: Kernel<
    [
      rows: number,
      rowNumbers: number,
      count: number,
      dims: number,
      panels: number,
      biases: number,
      centroidCount: number,
      firstId: number,
      bestScores: number,
      bestIds: number,
      scores: number,
    ]
  >;
  readonly nearestNodes: Kernel<
    [
      rows: number,
      count: number,
      dims: number,
      panels: number,
      biases: number,
      centroidCount: number,
      nodeMax: number,
      nodes: number,
      scores: number,
    ]
  >;
  readonly offerRows: Kernel<
    [
      rows: number,
      count: number,
      dims: number,
      queries: number,
      zeros: number,
      queryCount: number,
      squares: number,
      firstNumber: number,
      states: number,
      worsts: number,
      scores: number,
    ]
  >;
  readonly addRows: Kernel<
    [rows: number, rowNumbers: number, count: number, dims: number, ids: number, sums: number, counts: number]
  >;
  readonly normalizeRows: Kernel<[rows: number, count: number, dims: number]>;
  readonly meanRows: Kernel<
    [sums: number, counts: number, count: number, dims: number, unit: number, centroids: number]
  >;
  readonly largestResiduals: Kernel<[rows: number, count: number, dims: number, centroid: number, largest: number]>;
  readonly subtractCentroid: Kernel<[rows: number, count: number, dims: number, centroid: number]>;
  readonly encodeInt8: Kernel<
    [rows: number, count: number, dims: number, centroid: number, inverseScales: number, stride: number, codes: number]
  >;
  readonly termsInt8: Kernel<
    [codes: number, count: number, dims: number, centroid: number, scales: number, stride: number, terms: number]
  >;
  readonly encodePq4Block: Kernel<
    [rows: number, count: number, dims: number, centroid: number, books: number, codes: number]
  >;
  readonly termsPq4Block: Kernel<
    [codes: number, count: number, dims: number, centroid: number, books: number, terms: number]
  >;
  readonly addPq4: Kernel<
    [rows: number, count: number, dims: number, books: number, from: number, to: number, sums: number]
  >;
}

const names: readonly (keyof BuildWasm)[] = [
  'distances',
  'packPanels',
  'packBiases',
  'assignNearest',
  'nearestNodes',
  'offerRows',
  'addRows',
  'normalizeRows',
  'meanRows',
  'largestResiduals',
  'subtractCentroid',
  'encodeInt8',
  'termsInt8',
  'encodePq4Block',
  'termsPq4Block',
  'addPq4',
];

export function instantiateBuild(module: WebAssembly.Module, memory: WebAssembly.Memory): BuildWasm {
  const exports = instantiateLists(module, memory) as BuildWasm;
  for (const name of names) assert(typeof exports[name] === 'function', `kernel module exports ${name}`);
  return exports;
}
