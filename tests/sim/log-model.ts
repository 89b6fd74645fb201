import { idAt, openBlock, valueAt } from '@lagoon/format';
import { decodeEntry, logPrefix, parseKey } from '@lagoon/namespace';
import type { BatchEntry, Entry } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { witnessOf } from './history.ts';

/**
 * What a namespace contains at each generation, read from the raw entries in the bucket with nothing of the product's reading path but the
 * decoders: the independent model of the checker.
 */
export interface LogModel {
  readonly head: number;
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
  /** Numbers of the writes that this entry carries. */
  readonly writes: readonly number[];
  /** Names in the schema, sorted. */
  readonly attributes: readonly string[];
}

export function readLogModel(
  objects: ReadonlyMap<string, { readonly bytes: Uint8Array }>,
  namespace: string,
): LogModel {
  const prefix = logPrefix(namespace);
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).sort();
  const generations: ModelGeneration[] = [];
  let rows = new Map<number, number>();
  let alive = false;
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
    const writes = new Set<number>();
    if (header.kind.case === 'birth') {
      rows = new Map();
      alive = true;
    }
    if (header.kind.case === 'truncate') {
      rows = new Map();
      alive = false;
    }
    rows = new Map(rows);
    const batch = batchOf(header);
    if (batch?.schema !== undefined) attributes = batch.schema.attributes.map(({ name }) => name).sort();
    const parts = batch?.body === undefined ? entry.parts : partsIn(bytesOf(objects, batch.body.key), batch.partSizes);
    for (const part of parts) applyPart(part, rows, writes);
    generations.push({
      generation: parsed.generation,
      kind: header.kind.case ?? 'unknown',
      incarnation: header.incarnation,
      alive,
      rows,
      writes: [...writes],
      attributes,
    });
  });
  return { head: keys.length, generations };
}

function applyPart(part: Uint8Array, rows: Map<number, number>, writes: Set<number>): void {
  const block = openBlock(part);
  const column = block.columns.get('w')?.column;
  for (let row = 0; row < block.deletes.count; row++) {
    const id = Number(idAt(block.deletes, row));
    rows.delete(id);
    if (id > witnessOf(0)) writes.add(id - witnessOf(0));
  }
  for (let row = 0; row < block.rowCount; row++) {
    const w = column === undefined ? Number.NaN : Number(valueAt(column, row));
    rows.set(Number(idAt(block.ids, row)), w);
    writes.add(w);
  }
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
