import { assert, corrupt } from '@lagoon/base';
import { type Bitmap, createBitmap, getBit, setBit } from '@lagoon/format';
import { type Clusters, decodeClusters } from '@lagoon/segment';
import { listBytes } from '@lagoon/vector';
import type { StoredLists, StoredPlace } from './stored-segment.ts';

/** The lists of a vector column of a segment, as a search thread sees them. Positions are places in cluster order. */
export interface OpenedLists {
  readonly clusters: Clusters;
  /** The memory that holds the centroids, and where in it they begin. */
  readonly centroids: { readonly memoryIndex: number; readonly offset: number };
  /** The memory that holds the codes, where in it they begin, and where each list does among them; undefined: flat. */
  readonly codes: { readonly memoryIndex: number; readonly offset: number; readonly starts: Float64Array } | undefined;
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
  return {
    clusters,
    centroids: { memoryIndex, offset: offset + centroidsOffset },
    codes: openCodes(stored, clusters),
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

function openCodes({ attribute, codes }: StoredLists, clusters: Clusters): OpenedLists['codes'] {
  const { code, metric, dims, leafEnds } = clusters;
  assert((codes === undefined) === (code.codec === 'flat'), 'codes are there where lists have some');
  if (codes === undefined) return undefined;
  const starts = new Float64Array(leafEnds.length);
  let end = 0;
  for (let leaf = 0; leaf < leafEnds.length; leaf++) {
    starts[leaf] = end;
    end += listBytes(code.codec, metric, dims, rowCountOf(clusters, leaf));
  }
  if (end !== codes.size) throw corrupt('codes of lists have another size', { attribute, expected: end });
  return { memoryIndex: codes.memoryIndex, offset: codes.offset, starts };
}

/** First position of a leaf. */
export function startOf({ leafEnds }: Clusters, leaf: number): number {
  return leaf === 0 ? 0 : (leafEnds[leaf - 1] as number);
}

export function rowCountOf(clusters: Clusters, leaf: number): number {
  return (clusters.leafEnds[leaf] as number) - startOf(clusters, leaf);
}
