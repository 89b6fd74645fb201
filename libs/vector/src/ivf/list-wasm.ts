import { assert } from '@lagoon/base';

/** What `kernels/assembly/lists.ts` exports; offsets and counts are numbers, see there for their meaning. */
export interface ListWasm {
  readonly selectBegin: (
    entries: number,
    k: number,
    entryMax: number,
    entryCount: number,
    distanceBound: number,
  ) => void;
  readonly selectCount: () => number;
  readonly selectWorst: () => number;
  readonly selectFinish: () => number;
  readonly selectNotANumber: () => number;
  readonly scanFlatList: (
    metric: number,
    element: number,
    dims: number,
    rowCount: number,
    rows: number,
    inverseNorms: number,
    query: number,
    queryInverseNorm: number,
    mask: number,
    maskBit: number,
    firstNumber: number,
  ) => void;
  readonly scanCentroids: (
    metric: number,
    dims: number,
    count: number,
    centroids: number,
    query: number,
    firstNumber: number,
  ) => void;
  readonly scanInt8List: (
    stride: number,
    rowCount: number,
    codes: number,
    terms: number,
    query: number,
    base: number,
    unit: number,
    mask: number,
    maskBit: number,
    firstNumber: number,
  ) => void;
  readonly scanPq4List: (
    subCount: number,
    rowCount: number,
    codes: number,
    terms: number,
    table: number,
    base: number,
    unit: number,
    mask: number,
    maskBit: number,
    firstNumber: number,
    sums: number,
  ) => void;
  readonly distancesOf: (
    metric: number,
    element: number,
    dims: number,
    rowCount: number,
    rowOffsets: number,
    inverseNorms: number,
    query: number,
    queryInverseNorm: number,
    out: number,
  ) => void;
}

const names: readonly (keyof ListWasm)[] = [
  'selectBegin',
  'selectCount',
  'selectWorst',
  'selectFinish',
  'selectNotANumber',
  'scanFlatList',
  'scanCentroids',
  'scanInt8List',
  'scanPq4List',
  'distancesOf',
];

export function instantiateLists(module: WebAssembly.Module, memory: WebAssembly.Memory): ListWasm {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  for (const name of names) assert(typeof exports[name] === 'function', `kernel module exports ${name}`);
  return exports as unknown as ListWasm;
}
