import { connect, Index, type Table } from '@lancedb/lancedb';
import { rowOf, type Vectors } from './vectors.ts';

export type LanceIndex = 'IVF_FLAT' | 'IVF_PQ';

const rowsPerCall = 20_000;

/** A table `rows` of `id` and `vector` in a folder of its own. */
export async function loadLance(rows: Vectors, path: string): Promise<Table> {
  const database = await connect(path);
  const batch = (start: number) =>
    Array.from({ length: Math.min(rowsPerCall, rows.rowCount - start) }, (_, i) => ({
      id: start + i,
      vector: Array.from(rowOf(rows, start + i)),
    }));
  const table = await database.createTable('rows', batch(0));
  for (let start = rowsPerCall; start < rows.rowCount; start += rowsPerCall) await table.add(batch(start));
  await table.optimize();
  return table;
}

/** By cosine; `subVectors` are those of IVF_PQ, of 8 bits each. Answers the seconds that it took. */
export async function indexLance(
  table: Table,
  kind: LanceIndex,
  rows: Vectors,
  partitions: number,
  subVectors = rows.dims / 2,
): Promise<number> {
  const config =
    kind === 'IVF_FLAT'
      ? Index.ivfFlat({ distanceType: 'cosine', numPartitions: partitions })
      : Index.ivfPq({ distanceType: 'cosine', numPartitions: partitions, numSubVectors: subVectors });
  const startedAt = performance.now();
  await table.createIndex('vector', { config });
  await table.waitForIndex(['vector_idx'], 1_200);
  return (performance.now() - startedAt) / 1_000;
}

export interface LanceSearch {
  readonly k: number;
  /** Absent: all rows, without the index. */
  readonly probes?: number;
  /** Of product quantizers: so many times k are ranked by their vectors. */
  readonly refine?: number;
}

/** Ids of the nearest by cosine. */
export async function searchLance(table: Table, query: Float32Array, search: LanceSearch): Promise<number[]> {
  const nearest = table.query().nearestTo(query).distanceType('cosine').limit(search.k);
  const probing = search.probes === undefined ? nearest : nearest.nprobes(search.probes);
  const refining = search.refine === undefined ? probing : probing.refineFactor(search.refine);
  const found = await refining.select(['id', '_distance']).toArray();
  return found.map((row: { id: number }) => Number(row.id));
}
