import { createRandomId, createSeededRandom, createSystemClock, noMetrics, sha256, silentLog } from '@lagoon/base';
import { createBlockCache } from '@lagoon/cache';
import { type Block, encodeBlock, type Schema } from '@lagoon/format';
import { applyIndexEdit, createManifestCommitter, createNamespaceLog } from '@lagoon/namespace';
import { createMemoryStore, type ObjectStore } from '@lagoon/object-store';
import { createInlinePool, createQueryEngine, type QueryEngine, searchScratchBytes } from '@lagoon/query';
import { type ClusterOptions, clusterRows, writeSegment } from '@lagoon/segment';
import { createArena } from '@lagoon/vector';

export interface OneSegmentOptions {
  /** Segments of fewer rows get no attribute indexes; default: that of the writer. */
  readonly indexedRowCountMin?: number;
  /** How lists of vectors are built; absent: there are none. */
  readonly cluster?: ClusterOptions;
  readonly arenaBytes: number;
  /** Where the namespace is written to; default: memory. */
  readonly store?: ObjectStore;
  /** What the engine reads the store through. */
  readonly through?: (store: ObjectStore) => ObjectStore;
  readonly textIndexBytesMax: number;
}

/** The namespace `bench` with these rows as its one segment, its hint current, and an engine that searches it on the calling thread. */
export async function openOneSegment(
  block: Block,
  schema: Schema,
  { indexedRowCountMin, cluster, arenaBytes, textIndexBytesMax, store, through }: OneSegmentOptions,
): Promise<{ readonly engine: QueryEngine; readonly segmentBytes: number; readonly buildMs: number }> {
  const { rowCount } = block;
  const clock = createSystemClock();
  const random = createSeededRandom(2);
  const base = { clock, random, log: silentLog, metrics: noMetrics, store: store ?? createMemoryStore({ clock }) };
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
  const identity = { incarnation, ...generations };
  const clustered = cluster && (await clusterRows(block, schema, identity, cluster));
  const startedAt = performance.now();
  const options = { ...(indexedRowCountMin === undefined ? {} : { indexedRowCountMin }), ...clustered };
  const written = await writeSegment(block, schema, identity, options);
  const buildMs = performance.now() - startedAt;
  const { bytes, footer, attributeRanges } = written;
  const key = `data/${incarnation}/${incarnation}/bench-0.seg`;
  await base.store.create(key, bytes);
  const counts = { rowCount, liveRowCount: rowCount, logicalBytes: block.logicalBytes, deleteVector: undefined };
  const object = { key, size: bytes.length, sha256: sha256(bytes) };
  const edited = applyIndexEdit(live.manifest, {
    ...{ indexedThrough: 1, schema, settings: live.settings, deleted: new Map(), lastWriteAtMs: 1 },
    segmentsAdded: [{ object, footer, attributeRanges, ...counts, ...generations }],
    rows: { added: rowCount, superseded: 0, deleted: 0 },
  });
  const committer = createManifestCommitter(base);
  const job = { job: createRandomId(random), startedAtMs: clock.wallMs() };
  await committer.append(log, born.view, await committer.prepare(born.view, edited, job));
  await log.writeHint((await log.open('bench')).view);
  const arena = createArena({ budgetBytes: arenaBytes, scratchBytes: searchScratchBytes });
  const pool = createInlinePool(arena, { textIndexBytesMax });
  const read = { ...base, store: through?.(base.store) ?? base.store };
  const namespaceLog = createNamespaceLog(read);
  const engine = createQueryEngine({ ...read, namespaceLog, cache: createBlockCache({ arena }), pool });
  return { engine, segmentBytes: bytes.length, buildMs };
}
