import { createSeededRandom, type Random } from '@lagoon/base';
import type { Vectors } from './vectors.ts';

const clusterCount = 2_000;
/** Of a row about its centre, beside centres about the origin. */
const spread = 0.6;

/**
 * Rows about random centres, in random order, so that the first n are a smaller collection of the same kind. Later dimensions vary less (as 1 / √(1 + d / 8)),
 * as those of real embeddings do. The same for a seed on every machine.
 */
export function drawClusters(rowCount: number, dims: number, seed: number): Vectors {
  const random = createSeededRandom(seed);
  const normal = createNormal(random);
  const scales = Float32Array.from({ length: dims }, (_, d) => 1 / Math.sqrt(1 + d / 8));
  const centres = Float32Array.from({ length: clusterCount * dims }, (_, i) => normal() * (scales[i % dims] as number));
  const values = new Float32Array(rowCount * dims);
  for (let row = 0; row < rowCount; row++) {
    const centre = random.integer(clusterCount) * dims;
    for (let d = 0; d < dims; d++) {
      values[row * dims + d] = (centres[centre + d] as number) + spread * normal() * (scales[d] as number);
    }
  }
  return { rowCount, dims, values };
}

/** Box and Muller's pairs. */
function createNormal(random: Random): () => number {
  let second: number | undefined;
  return () => {
    if (second !== undefined) {
      const drawn = second;
      second = undefined;
      return drawn;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random.float()));
    const angle = 2 * Math.PI * random.float();
    second = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
}
