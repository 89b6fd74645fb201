import { invalidArgument } from '@lagoon/base';
import type { IdColumn } from './column.ts';
import { checkStringId, type DocumentId, u64Max } from './document-id.ts';
import { compareIds, idAt } from './id-column.ts';
import type { IdKind } from './schema.ts';
import { parseUuidInto } from './uuid.ts';

/** Ids as a column, in the order given. `invalid_argument` naming the id that is of another kind or out of bounds. */
export function buildIds(idKind: IdKind, ids: readonly DocumentId[]): IdColumn {
  switch (idKind) {
    case 'u64':
      return { idKind, count: ids.length, values: buildU64(ids) };
    case 'uuid':
      return { idKind, count: ids.length, bytes: buildUuids(ids) };
    case 'string':
      return { idKind, count: ids.length, ...buildStrings(ids) };
  }
}

/** The rows in ascending order of their ids; undefined where they are so already. `invalid_argument` for an id twice. */
export function sortedOrder(ids: IdColumn): Uint32Array | undefined {
  if (isStrictlyAscending(ids)) return undefined;
  const order = new Uint32Array(ids.count);
  for (let row = 0; row < order.length; row++) order[row] = row;
  order.sort((a, b) => compareIds(ids, a, ids, b));
  for (let i = 1; i < order.length; i++) {
    const row = order[i] as number;
    if (compareIds(ids, order[i - 1] as number, ids, row) === 0) throw duplicateId(idAt(ids, row));
  }
  return order;
}

export function duplicateId(id: DocumentId): Error {
  return invalidArgument('id appears twice in one write', { id });
}

function isStrictlyAscending(ids: IdColumn): boolean {
  for (let row = 1; row < ids.count; row++) if (compareIds(ids, row - 1, ids, row) >= 0) return false;
  return true;
}

function buildU64(ids: readonly DocumentId[]): BigUint64Array {
  const values = new BigUint64Array(ids.length);
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row] as DocumentId;
    if (typeof id !== 'bigint') throw wrongKind(id, 'u64');
    if (id < 0n || id > u64Max) throw invalidArgument('id is out of range', { id, max: u64Max });
    values[row] = id;
  }
  return values;
}

function buildUuids(ids: readonly DocumentId[]): Uint8Array {
  const bytes = new Uint8Array(16 * ids.length);
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row] as DocumentId;
    if (typeof id !== 'string' || !parseUuidInto(id, bytes, 16 * row)) throw wrongKind(id, 'uuid');
  }
  return bytes;
}

function buildStrings(ids: readonly DocumentId[]): { offsets: Uint32Array; bytes: Uint8Array } {
  const offsets = new Uint32Array(ids.length + 1);
  for (let row = 0; row < ids.length; row++) {
    const id = ids[row] as DocumentId;
    if (typeof id !== 'string') throw wrongKind(id, 'string');
    const size = Buffer.byteLength(id);
    checkStringId(id, size);
    offsets[row + 1] = (offsets[row] as number) + size;
  }
  const bytes = new Uint8Array(offsets[ids.length] as number);
  const buffer = Buffer.from(bytes.buffer);
  for (let row = 0; row < ids.length; row++) buffer.write(ids[row] as string, offsets[row] as number);
  return { offsets, bytes };
}

function wrongKind(id: DocumentId, expected: IdKind): Error {
  return invalidArgument('id is of the wrong type', { id, type: typeof id === 'bigint' ? 'u64' : 'string', expected });
}
