import { type Block, idAt, openBlock, valueAt } from '@lagoon/format';
import { decodeEntry, logPrefix, parseKey } from '@lagoon/namespace';
import type { BatchEntry, Entry, Instant } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { isCounter, witnessOf } from './history.ts';

/**
 * What a namespace contains at each generation, read from the raw entries in the bucket with nothing of the product's reading path but the
 * decoders: the independent model of the checker.
 */
export interface LogModel {
  readonly head: number;
  /** Of the newest manifest. */
  readonly segmentCount: number;
  /** Manifests that indexed nothing more than the one before: merges. */
  readonly mergeCount: number;
  /** By generation, from 1. */
  readonly generations: readonly ModelGeneration[];
}

export interface ModelGeneration {
  readonly generation: number;
  readonly kind: string;
  readonly incarnation: string;
  readonly alive: boolean;
  /** `w` by id. */
  readonly rows: ReadonlyMap<number, number>;
  /** Of counters, by id: before the entry's own rows (what a birth inherits included), and after them. */
  readonly countsBefore: ReadonlyMap<number, number>;
  readonly counts: ReadonlyMap<number, number>;
  /** Numbers of the writes that this entry carries. */
  readonly writes: readonly number[];
  /** Names in the schema, sorted. */
  readonly attributes: readonly string[];
  /** Of a birth from another's instant. */
  readonly origin: { readonly namespace: string; readonly generation: number } | undefined;
}

/** What was read of names already: births from others, and births from those, would else be read over and over. */
export type KnownGenerations = Map<string, readonly ModelGeneration[]>;

export function readLogModel(
  objects: ReadonlyMap<string, { readonly bytes: Uint8Array }>,
  namespace: string,
  generationMax = Number.POSITIVE_INFINITY,
  known: KnownGenerations = new Map(),
): LogModel {
  const prefix = logPrefix(namespace);
  const keys = [...objects.keys()]
    .filter((key) => key.startsWith(prefix))
    .sort()
    .slice(0, Math.min(generationMax, 1e9));
  const generations: ModelGeneration[] = [];
  let rows = new Map<number, number>();
  let counts = new Map<number, number>();
  let alive = false;
  let segmentCount = 0;
  let mergeCount = 0;
  let indexedThrough = 0n;
  let attributes: string[] = [];
  let previous: { readonly hash: Uint8Array; readonly commitId: string } | undefined;
  keys.forEach((key, index) => {
    const parsed = parseKey(key);
    if (parsed?.kind !== 'log' || parsed.generation !== index + 1) throw new Error(`a gap in the log at ${key}`);
    const entry = decodeEntry(key, bytesOf(objects, key));
    const { header } = entry;
    if (Buffer.compare(header.previousHash, previous?.hash ?? new Uint8Array(0)) !== 0)
      throw new Error(`the chain breaks at ${key}`);
    previous = { hash: entry.hash, commitId: header.commitId };
    if (header.kind.case === 'manifest') {
      segmentCount = Number(header.kind.value.segmentCount);
      if (header.kind.value.indexedThrough === indexedThrough) mergeCount++;
      indexedThrough = header.kind.value.indexedThrough;
    }
    const writes = new Set<number>();
    let inheritedFrom: Instant | undefined;
    if (header.kind.case === 'birth') {
      const { origin } = header.kind.value;
      // What it inherits was there before it, so this comes to an end.
      const source = origin === undefined ? undefined : instantOf(objects, origin, known);
      rows = new Map(source?.rows);
      counts = new Map(source?.counts);
      attributes = [...(source?.attributes ?? [])];
      inheritedFrom = origin;
      alive = true;
    }
    if (header.kind.case === 'truncate') {
      rows = new Map();
      counts = new Map();
      alive = false;
    }
    rows = new Map(rows);
    const countsBefore = counts;
    counts = new Map(counts);
    const batch = batchOf(header);
    if (batch?.schema !== undefined) attributes = batch.schema.attributes.map(({ name }) => name).sort();
    const parts = batch?.body === undefined ? entry.parts : partsIn(bytesOf(objects, batch.body.key), batch.partSizes);
    for (const part of parts) applyPart(part, rows, counts, writes);
    generations.push({
      generation: parsed.generation,
      kind: header.kind.case ?? 'unknown',
      incarnation: header.incarnation,
      alive,
      rows,
      countsBefore,
      counts,
      writes: [...writes],
      attributes,
      origin:
        inheritedFrom === undefined
          ? undefined
          : { namespace: inheritedFrom.namespace, generation: Number(inheritedFrom.generation) },
    });
  });
  return { head: keys.length, segmentCount, mergeCount, generations };
}

function instantOf(
  objects: Parameters<typeof readLogModel>[0],
  origin: Instant,
  known: KnownGenerations,
): ModelGeneration {
  const generation = Number(origin.generation);
  const isKnown = generation <= (known.get(origin.namespace)?.length ?? 0);
  if (!isKnown) known.set(origin.namespace, readLogModel(objects, origin.namespace, generation, known).generations);
  const source = known.get(origin.namespace)?.[generation - 1];
  if (source?.alive !== true || source.incarnation !== origin.incarnation)
    throw new Error(`a birth from ${origin.namespace} at ${generation}, where that does not live`);
  return source;
}

function applyPart(
  part: Uint8Array,
  rows: Map<number, number>,
  counts: Map<number, number>,
  writes: Set<number>,
): void {
  const block = openBlock(part);
  const column = block.columns.get('w')?.column;
  for (let row = 0; row < block.deletes.count; row++) {
    const id = Number(idAt(block.deletes, row));
    rows.delete(id);
    counts.delete(id);
    if (id > witnessOf(0)) writes.add(id - witnessOf(0));
  }
  for (let row = 0; row < block.rowCount; row++) {
    const w = column === undefined ? Number.NaN : Number(valueAt(column, row));
    const id = Number(idAt(block.ids, row));
    rows.set(id, w);
    if (isCounter(id)) counts.set(id, countAt(block, row));
    writes.add(w);
  }
}

function countAt(block: Block, row: number): number {
  const column = block.columns.get('count')?.column;
  return column === undefined ? 0 : Number(valueAt(column, row));
}

function batchOf({ kind }: Entry): BatchEntry | undefined {
  return kind.case === 'birth' ? kind.value.batch : kind.case === 'batch' ? kind.value : undefined;
}

/** Each part of a body begins at a multiple of 16. */
function partsIn(body: Uint8Array, sizes: readonly bigint[]): Uint8Array[] {
  let end = 0;
  return sizes.map((size) => {
    const start = Math.ceil(end / 16) * 16;
    end = start + Number(size);
    return body.slice(start, end);
  });
}

function bytesOf(objects: ReadonlyMap<string, { readonly bytes: Uint8Array }>, key: string): Uint8Array {
  const held = objects.get(key);
  if (held === undefined) throw new Error(`no ${key}`);
  return held.bytes;
}
