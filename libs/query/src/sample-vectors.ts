import { invalidArgument, type Random } from '@lagoon/base';
import { getBit, isNull, type Schema } from '@lagoon/format';
import type { Snapshot } from './snapshot.ts';

/** Tries per wanted vector: rows that are dead or lack the vector are drawn again. */
const tryCountMax = 20;

/** Vectors of live rows, drawn with replacement; fewer where most rows are dead or lack it. The caller has ensured the column. */
export function sampleVectors(snapshot: Snapshot, attribute: string, count: number, random: Random): Float32Array[] {
  const parts = snapshot.blocks.flatMap((resident, i) => {
    const column = resident.block.columns.get(attribute)?.column;
    return column?.kind === 'vector'
      ? [{ column, rowCount: resident.block.rowCount, live: snapshot.locations[i]?.live }]
      : [];
  });
  const total = parts.reduce((sum, { rowCount }) => sum + rowCount, 0);
  const vectors: Float32Array[] = [];
  for (let tries = 0; total > 0 && vectors.length < count && tries < tryCountMax * count; tries++) {
    let row = random.integer(total);
    for (const { column, rowCount, live } of parts) {
      if (row >= rowCount) {
        row -= rowCount;
        continue;
      }
      if ((live === undefined || getBit(live, row)) && !isNull(column.nulls, row)) {
        vectors.push(Float32Array.from(column.values.subarray(row * column.dims, (row + 1) * column.dims)));
      }
      break;
    }
  }
  return vectors;
}

/** The first vector attribute that is searched by ANN. */
export function annAttributeOf(schema: Schema): string {
  for (const [name, { ann }] of schema.attributes) if (ann !== undefined) return name;
  throw invalidArgument('no attribute is searched by ann');
}
