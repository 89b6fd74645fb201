/**
 * Lists of vectors over all GloVe rows (`vector-curve.ts`), and how many rows the tree's leaves make a query scan beside those of flat k-means. 1,000 rows are
 * held out and ask.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromHalves, type IvfIndex, loadKernelModule } from '@lagoon/vector';
import { reportAtMost } from './figure.ts';
import { loadGlove } from './glove.ts';
import { flatClustering, rowsScannedAt } from './list-engine.ts';
import { measureCurve } from './vector-curve.ts';
import { holdOut, type Vectors } from './vectors.ts';

const queryCount = 1_000;
const recallAim = 0.965;
/** Two dimensions each, as those of pq4 lists. */
const subVectors = 50;

/** Rows scanned with the tree's leaves, and with those of flat k-means. */
function compareClusterings(
  rows: Vectors,
  index: IvfIndex,
  queries: readonly Float32Array[],
  truth: readonly Uint32Array[],
): void {
  const module = loadKernelModule();
  const leafCount = index.leafEnds.length;
  const leafOfRow = new Uint32Array(rows.rowCount);
  let position = 0;
  index.leafEnds.forEach((end, leaf) => {
    for (; position < end; position++) leafOfRow[index.order[position] as number] = leaf;
  });
  const centroids = { values: fromHalves(index.centroids), rowCount: leafCount, dims: rows.dims };
  const tree = rowsScannedAt(module, { centroids, leafOfRow }, queries, truth, recallAim);
  const flat = rowsScannedAt(module, flatClustering(module, rows, leafCount), queries, truth, recallAim);
  process.stdout.write(
    `rows scanned at recall ${recallAim}: ${(100 * tree).toFixed(2)} %, by flat k-means with as many leaves (${leafCount}) ${(100 * flat).toFixed(2)} %\n`,
  );
  reportAtMost(`GloVe: rows scanned at recall ${recallAim} / flat k-means`, tree / flat, 1.1);
}

const folder = await mkdtemp(join(tmpdir(), 'lagoon-bench-'));
try {
  const { rows, queries } = holdOut(await loadGlove(), queryCount);
  const { indexes, truth } = await measureCurve('GloVe', rows, queries, folder, subVectors, true);
  compareClusterings(rows, indexes.get('flat') as IvfIndex, queries, truth);
} finally {
  await rm(folder, { recursive: true, force: true });
}
