import { alignUp, corrupt } from '@lagoon/base';
import { limits } from '@lagoon/format';
import type { DistanceMetric, IvfBudgets, IvfIndex, ListCode, ListCodec } from '@lagoon/vector';

/**
 * The leaves of a vector column (docs/formats/segment.v1.md, clusters): everything that a query needs before it reads a list.
 * Views of the bytes that they were decoded from; a position is a place in cluster order.
 */
export interface Clusters {
  readonly metric: DistanceMetric;
  readonly dims: number;
  /** Rows that have the vector. */
  readonly positionCount: number;
  /** Rows of the segment are not in this column's cluster order: a list of rows says which one each position is. */
  readonly hasRows: boolean;
  readonly leafEnds: Uint32Array;
  readonly code: ListCode;
  readonly budgets: IvfBudgets;
  /** Where the centroids (f16, leaf-major) begin in the bytes. */
  readonly centroidsOffset: number;
}

const clustersMagic = 0x4c43474c; // "LGCL" read as little-endian u32
const clustersVersion = 1;
const headerSize = 32;
const metrics: readonly DistanceMetric[] = ['dot_product', 'euclidean_squared', 'cosine_distance'];
const codecs: readonly ListCodec[] = ['flat', 'int8', 'pq4'];
/** Of learned budgets, in each direction. */
const budgetCountMax = 64;

export function encodeClusters(index: Omit<IvfIndex, 'order' | 'codes'>, hasRows: boolean): Uint8Array {
  const { metric, dims, rowCount, leafEnds, centroids, code, budgets } = index;
  const parts = partsOf({
    dims,
    leafCount: leafEnds.length,
    codec: code.codec,
    kCount: budgets.ks.length,
    recallCount: budgets.recalls.length,
  });
  const bytes = new Uint8Array(parts.size);
  const header = new DataView(bytes.buffer);
  header.setUint32(0, clustersMagic, true);
  header.setUint16(4, clustersVersion, true);
  header.setUint8(6, metrics.indexOf(metric));
  header.setUint8(7, codecs.indexOf(code.codec));
  header.setUint32(8, dims, true);
  header.setUint32(12, rowCount, true);
  header.setUint32(16, leafEnds.length, true);
  header.setUint16(20, budgets.ks.length, true);
  header.setUint16(22, budgets.recalls.length, true);
  header.setUint32(24, hasRows ? 1 : 0, true);
  new Float64Array(bytes.buffer, parts.recalls, budgets.recalls.length).set(budgets.recalls);
  new Uint32Array(bytes.buffer, parts.ks, budgets.ks.length).set(budgets.ks);
  new Uint32Array(bytes.buffer, parts.leaves, budgets.leaves.length).set(budgets.leaves);
  new Uint32Array(bytes.buffer, parts.candidates, budgets.candidates.length).set(budgets.candidates);
  new Uint32Array(bytes.buffer, parts.leafEnds, leafEnds.length).set(leafEnds);
  new Float32Array(bytes.buffer, parts.code, parts.codeCount).set(valuesOf(code));
  new Uint16Array(bytes.buffer, parts.centroids, centroids.length).set(centroids);
  return bytes;
}

/** Checks everything that a search relies on; throws `corrupt`. `bytes` begin at a multiple of 16 of their buffer. */
export function decodeClusters(bytes: Uint8Array): Clusters {
  const must = (holds: boolean, what: string): void => {
    if (!holds) throw corrupt(`clusters: ${what}`, { bytes: bytes.length });
  };
  must(bytes.length >= headerSize, 'too short');
  const header = new DataView(bytes.buffer, bytes.byteOffset, headerSize);
  must(header.getUint32(0, true) === clustersMagic && header.getUint16(4, true) === clustersVersion, 'unknown version');
  const metric = metrics[header.getUint8(6)];
  const codec = codecs[header.getUint8(7)];
  if (metric === undefined || codec === undefined) throw corrupt('clusters: unknown metric or codec');
  const dims = header.getUint32(8, true);
  const positionCount = header.getUint32(12, true);
  const leafCount = header.getUint32(16, true);
  const kCount = header.getUint16(20, true);
  const recallCount = header.getUint16(22, true);
  const flags = header.getUint32(24, true);
  must(dims >= 1 && dims <= limits.dimensionsMax, 'dimensions out of range');
  must(leafCount >= 1 && leafCount <= positionCount, 'count of leaves');
  must(kCount >= 1 && kCount <= budgetCountMax && recallCount >= 1 && recallCount <= budgetCountMax, 'budgets');
  must(flags <= 1 && header.getUint32(28, true) === 0, 'unknown flags');
  const parts = partsOf({ dims, leafCount, codec, kCount, recallCount });
  must(bytes.length === parts.size, 'wrong size');
  const words = (offset: number, count: number): Uint32Array =>
    new Uint32Array(bytes.buffer, bytes.byteOffset + offset, count);
  const leafEnds = words(parts.leafEnds, leafCount);
  must(ascends(leafEnds) && leafEnds[leafCount - 1] === positionCount, 'ends of leaves');
  const budgets = {
    ks: [...words(parts.ks, kCount)],
    recalls: [...new Float64Array(bytes.buffer, bytes.byteOffset + parts.recalls, recallCount)],
    leaves: words(parts.leaves, kCount * recallCount),
    candidates: words(parts.candidates, kCount * recallCount),
  };
  must(ascends(budgets.ks) && ascends(budgets.recalls), 'budgets do not ascend');
  must(
    budgets.leaves.every((leaves) => leaves >= 1 && leaves <= leafCount),
    'a budget of leaves that are not there',
  );
  const values = new Float32Array(bytes.buffer, bytes.byteOffset + parts.code, parts.codeCount);
  must(values.every(Number.isFinite), 'a parameter of the codes is not a number');
  const centroids = new Uint16Array(bytes.buffer, bytes.byteOffset + parts.centroids, leafCount * dims);
  must(centroids.every(isFiniteHalf), 'a centroid is not a number');
  return {
    metric,
    dims,
    positionCount,
    hasRows: flags === 1,
    leafEnds,
    code: codeOf(codec, values),
    budgets,
    centroidsOffset: parts.centroids,
  };
}

interface Counts {
  readonly dims: number;
  readonly leafCount: number;
  readonly codec: ListCodec;
  readonly kCount: number;
  readonly recallCount: number;
}

/** Where the parts begin, each at a multiple of 16. */
function partsOf({ dims, leafCount, codec, kCount, recallCount }: Counts) {
  let end = headerSize;
  const place = (size: number): number => {
    const start = end;
    end = alignUp(end + size, 16);
    return start;
  };
  const codeCount = codec === 'flat' ? 0 : codec === 'int8' ? dims : Math.ceil(dims / 2) * 32;
  const recalls = place(8 * recallCount);
  const ks = place(4 * kCount);
  const leaves = place(4 * kCount * recallCount);
  const candidates = place(4 * kCount * recallCount);
  const leafEnds = place(4 * leafCount);
  const code = place(4 * codeCount);
  const centroids = place(2 * leafCount * dims);
  return { recalls, ks, leaves, candidates, leafEnds, code, codeCount, centroids, size: end };
}

function valuesOf(code: ListCode): Float32Array {
  if (code.codec === 'flat') return new Float32Array(0);
  return code.codec === 'int8' ? code.scales : code.codebook;
}

function codeOf(codec: ListCodec, values: Float32Array): ListCode {
  if (codec === 'flat') return { codec };
  return codec === 'int8' ? { codec, scales: values } : { codec, codebook: values };
}

function ascends(values: ArrayLike<number>): boolean {
  for (let i = 0; i < values.length; i++) {
    if (!((values[i] as number) > (i === 0 ? 0 : (values[i - 1] as number)))) return false;
  }
  return true;
}

function isFiniteHalf(bits: number): boolean {
  return (bits & 0x7c00) !== 0x7c00;
}
