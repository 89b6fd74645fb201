import { createSeededRandom } from '@lagoon/base';
import type { IvfBuildOptions, IvfIndex, IvfRows } from '@lagoon/vector';

/** Flat lists around random rows, for tests. */
export async function buildNaiveLists(rows: IvfRows, options: IvfBuildOptions): Promise<IvfIndex> {
  const { rowCount, dims } = rows;
  const random = createSeededRandom(options.seed);
  const values = new Float32Array(rowCount * dims);
  rows.read(0, rowCount, values);
  const leafCount = Math.ceil(rowCount / 40);
  const unit = options.metric === 'cosine_distance';
  const centers = Array.from({ length: leafCount }, () => {
    const row = random.integer(rowCount);
    const center = [...values.subarray(row * dims, (row + 1) * dims)];
    const norm = Math.hypot(...center) || 1;
    return unit ? center.map((v) => v / norm) : center;
  });
  const members: number[][] = centers.map(() => []);
  for (let row = 0; row < rowCount; row++) {
    const v = values.subarray(row * dims, (row + 1) * dims);
    let best = 0;
    let bestScore = Infinity;
    for (const [leaf, center] of centers.entries()) {
      let score = 0;
      for (let d = 0; d < dims; d++)
        score +=
          options.metric === 'euclidean_squared'
            ? ((v[d] as number) - (center[d] as number)) ** 2
            : -(v[d] as number) * (center[d] as number);
      if (score < bestScore) [best, bestScore] = [leaf, score];
    }
    (members[best] as number[]).push(row);
  }
  const used = centers.flatMap((center, leaf) =>
    (members[leaf] as number[]).length > 0 ? [{ center, rows: members[leaf] as number[] }] : [],
  );
  let end = 0;
  return {
    metric: options.metric,
    dims,
    rowCount,
    order: Uint32Array.from(used.flatMap((leaf) => leaf.rows)),
    leafEnds: Uint32Array.from(used, (leaf) => (end += leaf.rows.length)),
    centroids: Uint16Array.from(new Uint16Array(Float16Array.from(used.flatMap((leaf) => leaf.center)).buffer)),
    code: { codec: 'flat' },
    codes: new Uint8Array(0),
    budgets: {
      ks: [1, 100],
      recalls: [0.9, 0.99],
      leaves: Uint32Array.of(...[0.2, 0.5, 0.4, 0.7].map((share) => Math.ceil(share * used.length))),
      candidates: Uint32Array.of(2, 4, 200, 400),
    },
  };
}
