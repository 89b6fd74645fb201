import { corrupt } from '@lagoon/base';
import { type Bitmap, createBitmap, getBit, setBit } from '@lagoon/format';
import { type Clusters, decodeClusters } from '@lagoon/segment';
import { listBytes } from '@lagoon/vector';
import type { StoredLists, StoredPlace } from './stored-segment.ts';

/** The lists of a vector column of a segment, as a search thread sees them. Positions are places in cluster order. */
export interface OpenedLists {
  readonly clusters: Clusters;
  /** The memory that holds the centroids, and where in it they begin. */
  readonly centroids: { readonly memoryIndex: number; readonly offset: number };
  /** Where each list begins among the codes, and where the last ends; undefined: flat. */
  readonly codeStarts: Float64Array | undefined;
  /** The memory that holds the codes, and where in it they begin; undefined: flat, or only the leaves are there. */
  readonly codes: { readonly memoryIndex: number; readonly offset: number } | undefined;
  /** The row of a position. */
  rowOf(position: number): number;
  /** Rows as positions; undefined stays undefined: all. */
  positionsOf(rows: Bitmap | undefined): Bitmap | undefined;
}

export function openLists(stored: StoredLists, bytesAt: (place: StoredPlace) => Uint8Array): OpenedLists {
  const clusters = decodeClusters(bytesAt(stored.clusters));
  const { positionCount, centroidsOffset } = clusters;
  const rows = stored.rows === undefined ? undefined : bytesAt(stored.rows);
  if (clusters.hasRows !== (rows !== undefined) || (rows !== undefined && rows.length !== 4 * positionCount)) {
    throw corrupt('lists have other rows than their clusters say', { attribute: stored.attribute });
  }
  const rowAt = rows && new Uint32Array(rows.buffer, rows.byteOffset, positionCount);
  const { memoryIndex, offset } = stored.clusters;
  const codeStarts = codeStartsOf(clusters);
  return {
    clusters,
    centroids: { memoryIndex, offset: offset + centroidsOffset },
    codeStarts,
    codes: openCodes(stored, codeStarts),
    rowOf: rowAt === undefined ? (position) => position : (position) => rowAt[position] as number,
    positionsOf: (admitted) => {
      if (admitted === undefined || rowAt === undefined) return admitted;
      const positions = createBitmap(positionCount);
      for (let position = 0; position < positionCount; position++) {
        if (getBit(admitted, rowAt[position] as number)) setBit(positions, position);
      }
      return positions;
    },
  };
}

function codeStartsOf(clusters: Clusters): Float64Array | undefined {
  const { code, metric, dims, leafEnds } = clusters;
  if (code.codec === 'flat') return undefined;
  const starts = new Float64Array(leafEnds.length + 1);
  for (let leaf = 0; leaf < leafEnds.length; leaf++) {
    starts[leaf + 1] = (starts[leaf] as number) + listBytes(code.codec, metric, dims, rowCountOf(clusters, leaf));
  }
  return starts;
}

function openCodes({ attribute, codes }: StoredLists, starts: Float64Array | undefined): OpenedLists['codes'] {
  if (codes === undefined) return undefined;
  const expected = starts?.at(-1) ?? 0;
  if (expected !== codes.size) throw corrupt('codes of lists have another size', { attribute, expected });
  return { memoryIndex: codes.memoryIndex, offset: codes.offset };
}

/** First position of a leaf. */
export function startOf({ leafEnds }: Clusters, leaf: number): number {
  return leaf === 0 ? 0 : (leafEnds[leaf - 1] as number);
}

export function rowCountOf(clusters: Clusters, leaf: number): number {
  return (clusters.leafEnds[leaf] as number) - startOf(clusters, leaf);
}
