import { invalidArgument } from '@lagoon/base';
import { type IdKind, limits } from './schema.ts';
import { formatUuid, parseUuid } from './uuid.ts';

/**
 * A document's id as a value: u64 as bigint, uuid as 36 lower-case characters, string as it is.
 * Which of the two strings it is, the namespace's `IdKind` says.
 */
export type DocumentId = bigint | string;

export const u64Max = 0xffff_ffff_ffff_ffffn;

/** An id of the given kind from its text, e.g. of a filter; `invalid_argument` when it is none. */
export function parseDocumentId(kind: IdKind, text: string): DocumentId {
  switch (kind) {
    case 'u64':
      return parseU64(text);
    case 'uuid': {
      const bytes = parseUuid(text);
      if (bytes === undefined) throw invalidArgument('id is not a uuid', { id: text });
      return formatUuid(bytes);
    }
    case 'string':
      checkStringId(text, Buffer.byteLength(text));
      return text;
  }
}

/** Throws `invalid_argument` for a string id that is empty, too long, or has half of a surrogate pair (two of them would be one in UTF-8); `size` is its length as UTF-8. */
export function checkStringId(id: string, size: number): void {
  if (size === 0) throw invalidArgument('id is empty');
  if (size > limits.idBytesMax) throw invalidArgument('id is too long', { id, bytes: size, max: limits.idBytesMax });
  if (!id.isWellFormed()) throw invalidArgument('id is not well-formed unicode', { id });
}

function parseU64(text: string): bigint {
  if (!/^[0-9]{1,20}$/.test(text)) throw invalidArgument('id is not an unsigned integer', { id: text });
  const id = BigInt(text);
  if (id > u64Max) throw invalidArgument('id is out of range', { id: text, max: u64Max });
  return id;
}
