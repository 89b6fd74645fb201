import { type DocumentId, type IdKind, limits } from '@lagoon/format';
import { asArray, wrongShape, wrongValue } from '../json/shape.ts';

/**
 * Ids of one request, in order: all integers of 0..2^64 − 1 or all strings of 1..64 bytes. Whether
 * strings are uuids, the namespace's schema says. That no id is there twice, the block's encoder checks, and the ingester between blocks.
 */
export interface IdList {
  readonly idKind: IdKind;
  readonly upserts: DocumentId[];
  readonly deletes: DocumentId[];
  readonly patches: DocumentId[];
}

export type IdTarget = Exclude<keyof IdList, 'idKind'>;

export interface IdCollector {
  /** Reads one id; the path is only made for messages. */
  add(value: unknown, target: IdTarget, path: () => string): void;
  list(): IdList;
}

const u64Max = (1n << 64n) - 1n;

export function createIdCollector(): IdCollector {
  const lists: Record<IdTarget, DocumentId[]> = { upserts: [], deletes: [], patches: [] };
  let idKind: IdKind | undefined;
  let firstPath: string | undefined;
  return {
    add: (value, target, path) => {
      const id = readId(value, path);
      const kind = typeof id === 'bigint' ? 'u64' : 'string';
      if (idKind === undefined) {
        idKind = kind;
        firstPath = path();
      } else if (idKind !== kind) {
        throw wrongValue(path(), `ids are integers and strings mixed: ${firstPath} is of the other kind`);
      }
      lists[target].push(id);
    },
    list: () => ({ idKind: idKind ?? 'u64', ...lists }),
  };
}

/** A list of ids to delete. */
export function addDeletes(collector: IdCollector, value: unknown, path: string): void {
  const values = asArray(value, path, 'an array of ids');
  for (let index = 0; index < values.length; index++) {
    collector.add(values[index], 'deletes', () => `${path}[${index}]`);
  }
}

function readId(value: unknown, path: () => string): DocumentId {
  switch (typeof value) {
    case 'number':
      return readNumber(value, path);
    case 'bigint':
      if (value < 0n || value > u64Max)
        throw wrongValue(path(), 'an integer id is from 0 to 2^64 - 1', { found: value });
      return value;
    case 'string':
      return readText(value, path);
    default:
      throw wrongShape(path(), 'an id (integer or string)', value);
  }
}

function readNumber(value: number, path: () => string): bigint {
  if (Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (!Number.isInteger(value)) throw wrongValue(path(), 'an id has no fraction', { found: value });
  throw wrongValue(path(), 'an integer id is from 0 to 2^64 - 1, written without an exponent', { found: value });
}

function readText(value: string, path: () => string): string {
  if (value === '') throw wrongValue(path(), 'an id is empty');
  if (!value.isWellFormed()) throw wrongValue(path(), 'the id has half of a surrogate pair');
  const isShort = value.length * 3 <= limits.idBytesMax;
  if (!isShort && Buffer.byteLength(value) > limits.idBytesMax) {
    throw wrongValue(path(), 'the id is too long', { bytes: Buffer.byteLength(value), bytesMax: limits.idBytesMax });
  }
  return value;
}
