import { createRandomId, createSeededRandom, createSystemClock, noMetrics, sha256, silentLog } from '@lagoon/base';
import { createBlockCache } from '@lagoon/cache';
import { encodeBlock, type FullTextSearch, openBlock, type Schema } from '@lagoon/format';
import { applyIndexEdit, createManifestCommitter, createNamespaceLog } from '@lagoon/namespace';
import { createMemoryStore } from '@lagoon/object-store';
import { createInlinePool, createQueryEngine, searchScratchBytes } from '@lagoon/query';
import { writeSegment } from '@lagoon/segment';
import { createArena } from '@lagoon/vector';

/** Texts in one segment, searched in the engine on the calling thread. */
export interface TextEngine {
  readonly buildMs: number;
  /** Rows of the best texts, best first, and what the query took. */
  search(query: string, limit: number): Promise<{ readonly rows: number[]; readonly ms: number }>;
  close(): Promise<void>;
}

const consistency = { level: 'eventual', stalenessMsMax: 3_600_000, generationMin: 0 } as const;

export async function openTextEngine(texts: readonly string[], settings: FullTextSearch): Promise<TextEngine> {
  const rowCount = texts.length;
  const type = { kind: 'scalar', scalar: 'string' } as const;
  const schema: Schema = {
    idKind: 'u64',
    attributes: new Map([['text', { type, filterable: false, fullTextSearch: settings }]]),
  };
  const ids = texts.map((_, row) => BigInt(row));
  const bytes = encodeBlock({ idKind: 'u64', ids, deletes: [], columns: [{ name: 'text', type, values: texts }] });
  const block = openBlock(bytes, { verify: false });
  const clock = createSystemClock();
  const random = createSeededRandom(2);
  const base = { clock, random, log: silentLog, metrics: noMetrics, store: createMemoryStore({ clock }) };
  const log = createNamespaceLog(base);
  const incarnation = createRandomId(random);
  const part = encodeBlock({ idKind: 'u64', ids: [], deletes: [], columns: [] });
  const batch = { parts: [part], upsertedRowCount: 0, deletedRowCount: 0, schema, idempotency: [] };
  const born = await log.append((await log.open('bench')).view, () => ({
    kind: 'birth',
    incarnation,
    family: incarnation,
    batch,
  }));
  const { live } = born.view;
  if (live === undefined) throw new Error('nothing lives');
  const generations = { generationFirst: 1, generationLast: 1 };
  const startedAt = performance.now();
  const written = await writeSegment(block, schema, { incarnation, ...generations });
  const buildMs = performance.now() - startedAt;
  const key = `data/${incarnation}/${incarnation}/bench-0.seg`;
  await base.store.create(key, written.bytes);
  const counts = { rowCount, liveRowCount: rowCount, logicalBytes: block.logicalBytes, deleteVector: undefined };
  const object = { key, size: written.bytes.length, sha256: sha256(written.bytes) };
  const { footer, attributeRanges } = written;
  const edited = applyIndexEdit(live.manifest, {
    ...{ indexedThrough: 1, schema, deleted: new Map(), lastWriteAtMs: 1 },
    segmentsAdded: [{ object, footer, attributeRanges, ...counts, ...generations }],
    rows: { added: rowCount, superseded: 0, deleted: 0 },
  });
  const committer = createManifestCommitter(base);
  const job = { job: createRandomId(random), startedAtMs: clock.wallMs() };
  await committer.append(log, born.view, await committer.prepare(born.view, edited, job));
  const arena = createArena({ budgetBytes: 1 << 30, scratchBytes: searchScratchBytes });
  const pool = createInlinePool(arena, { textIndexBytesMax: 256 << 20 });
  const engine = createQueryEngine({ ...base, namespaceLog: log, cache: createBlockCache({ arena }), pool });
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
