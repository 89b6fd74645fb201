/** What `merge-memory.ts` writes and `merge-memory-process.ts` merges: segments in a directory, as index jobs leave them. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createSeededRandom } from '@lagoon/base';
import { type BuildPool, defaultCompactorConfig } from '@lagoon/compactor';
import { type AttributeSchema, encodeBlock, fullTextSearchDefaults, type Schema } from '@lagoon/format';
import type { FooterPlace } from '@lagoon/segment';

export interface StoredSegment {
  readonly name: string;
  readonly size: number;
  readonly footer: FooterPlace;
}

export const segmentCount = 11;
export const rowsPerSegment = 8_000;
export const dims = 1_024;
export const heapMebibytes = 32;
export const { clusterRowCountMin } = defaultCompactorConfig;
export const identity = { incarnation: 'inc', generationFirst: 1, generationLast: 1 };

/** Vectors, texts, and an attribute that is filtered. */
export function schemaOf(hasLists: boolean): Schema {
  const vector = { type: { kind: 'vector', element: 'f32', dims }, filterable: false } as const;
  return {
    idKind: 'u64',
    attributes: new Map<string, AttributeSchema>([
      ['vector', hasLists ? { ...vector, ann: { distanceMetric: 'cosine_distance' } } : vector],
      [
        'text',
        { type: { kind: 'scalar', scalar: 'string' }, filterable: false, fullTextSearch: fullTextSearchDefaults },
      ],
      ['group', { type: { kind: 'scalar', scalar: 'int' }, filterable: true }],
    ]),
  };
}

/** Vectors lie around `clusterCount` centres, other rows in each segment; returns the bytes of all rows. */
export async function writeSegments(pool: BuildPool, directory: string, hasLists: boolean): Promise<number> {
  const clusterCount = 200;
  const random = createSeededRandom(3);
  const words = Array.from({ length: 5_000 }, (_, number) => `word${number.toString(36)}`);
  const centres = Float32Array.from({ length: clusterCount * dims }, () => random.float() - 0.5);
  const stored: StoredSegment[] = [];
  let dataBytes = 0;
  for (let part = 0; part < segmentCount; part++) {
    const ids = Array.from({ length: rowsPerSegment }, (_, row) => BigInt(row * segmentCount + part));
    const vectors = new Float32Array(rowsPerSegment * dims);
    for (let row = 0; row < rowsPerSegment; row++) {
      const centre = random.integer(clusterCount) * dims;
      for (let d = 0; d < dims; d++) vectors[row * dims + d] = (centres[centre + d] as number) + 0.3 * random.float();
    }
    const text = (id: bigint) =>
      `${Array.from({ length: 12 }, () => words[random.integer(words.length)]).join(' ')} ${id}`;
    const block = encodeBlock({
      idKind: 'u64',
      ids,
      deletes: [],
      columns: [
        { name: 'vector', type: { kind: 'vector', element: 'f32', dims }, values: vectors },
        { name: 'text', type: { kind: 'scalar', scalar: 'string' }, values: ids.map(text) },
        { name: 'group', type: { kind: 'scalar', scalar: 'int' }, values: ids.map((id) => id % 100n) },
      ],
    });
    dataBytes += block.byteLength;
    const { bytes, footer } = await pool.buildSegment({
      block,
      schema: schemaOf(hasLists),
      identity,
      clusterRowCountMin,
    });
    const name = `${part}.seg`;
    await writeFile(join(directory, name), bytes);
    stored.push({ name, size: bytes.length, footer });
  }
  await writeFile(join(directory, 'index.json'), JSON.stringify(stored));
  return dataBytes;
}
