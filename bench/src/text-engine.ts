import { encodeBlock, type FullTextSearch, openBlock, type Schema } from '@lagoon/format';
import { openOneSegment } from './one-segment-engine.ts';

/** Texts in one segment, searched in the engine on the calling thread. */
export interface TextEngine {
  readonly buildMs: number;
  /** Rows of the best texts, best first, and what the query took. */
  search(query: string, limit: number): Promise<{ readonly rows: number[]; readonly ms: number }>;
  close(): Promise<void>;
}

const consistency = { level: 'eventual', stalenessMsMax: 3_600_000, generationMin: 0 } as const;

export async function openTextEngine(texts: readonly string[], settings: FullTextSearch): Promise<TextEngine> {
  const type = { kind: 'scalar', scalar: 'string' } as const;
  const schema: Schema = {
    idKind: 'u64',
    attributes: new Map([['text', { type, filterable: false, fullTextSearch: settings }]]),
  };
  const ids = texts.map((_, row) => BigInt(row));
  const bytes = encodeBlock({ idKind: 'u64', ids, deletes: [], columns: [{ name: 'text', type, values: texts }] });
  const block = openBlock(bytes, { verify: false });
  const limits = { arenaBytes: 1 << 30, textIndexBytesMax: 256 << 20 };
  const { engine, buildMs } = await openOneSegment(block, schema, limits);
  return {
    buildMs,
    search: async (query, limit) => {
      const expression = { kind: 'bm25', attribute: 'text', query, lastAsPrefix: false } as const;
      const spec = { rankBy: { kind: 'text', expression }, limit, projection: { kind: 'none' } } as const;
      const from = performance.now();
      const { rows } = await engine.query('bench', spec, consistency);
      return { rows: rows.map(({ id }) => Number(id)), ms: performance.now() - from };
    },
    close: () => engine.close(),
  };
}
