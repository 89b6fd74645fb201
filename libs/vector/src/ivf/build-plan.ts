import { createSeededRandom } from '@lagoon/base';
import type { IvfBuildOptions, IvfRows } from './contract.ts';

/** Sizes of a build, from the rows and options. */
export interface BuildPlan {
  readonly leafRows: number;
  /** Leaves aimed at; what comes out differs a little. */
  readonly leafCount: number;
  /** Inner nodes; 1: leaves are found without them. */
  readonly nodeCount: number;
  /** Rows of no leaf are more. */
  readonly leafRowsMax: number;
  /** Rows that are read and worked on at once, per thread. */
  readonly pieceRows: number;
  /** Rows to train on, ascending. */
  readonly sample: Uint32Array;
  /** Rows that ask, ascending, none of them in the sample where there are enough. */
  readonly queryRows: Uint32Array;
}

/** Centroids are scanned flat at query time. */
const leafCountMax = 16_384;
const sampleRowsPerLeaf = 80;
const sampleBytesMax = 512 << 20;
const pieceBytes = 2 << 20;
const learningQueryCountDefault = 512;

export function planBuild(rows: IvfRows, options: IvfBuildOptions): BuildPlan {
  const { rowCount, dims } = rows;
  const leafRows = Math.max(options.leafRows ?? defaultLeafRows(rowCount), Math.ceil(rowCount / leafCountMax));
  const leafCount = Math.max(1, Math.ceil(rowCount / leafRows));
  const random = createSeededRandom(options.seed);
  const queryCount = Math.min(options.learningQueryCount ?? learningQueryCountDefault, rowCount);
  const queryRows = spread(rowCount, queryCount, () => random.float());
  const sampleMax = Math.max(leafCount, Math.floor(sampleBytesMax / (dims * 4)));
  const wanted = Math.min(rowCount, leafCount * sampleRowsPerLeaf, sampleMax);
  const spreadRows = spread(rowCount, wanted, () => random.float());
  const held = new Set(wanted * 2 > rowCount ? [] : queryRows);
  return {
    leafRows,
    leafCount,
    nodeCount: leafCount <= 64 ? 1 : Math.round(Math.sqrt(leafCount)),
    leafRowsMax: leafRows * 4,
    pieceRows: Math.max(64, Math.min(8192, Math.floor(pieceBytes / (dims * 4)))) & ~31,
    sample: spreadRows.filter((row) => !held.has(row)),
    queryRows,
  };
}

/** About 100 for few rows, 400 for many. */
function defaultLeafRows(rowCount: number): number {
  return Math.round(Math.max(100, Math.min(400, Math.sqrt(rowCount) / 2.3)));
}

/** One row of each of `count` equal stretches. */
function spread(rowCount: number, count: number, random: () => number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, i) => Math.floor(((i + random()) * rowCount) / count));
}
