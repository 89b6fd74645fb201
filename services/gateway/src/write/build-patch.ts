import { type AttributeType, type ColumnInput, type DocumentId, encodeBlock, type IdKind } from '@lagoon/format';
import { buildColumns } from './build-block.ts';
import type { RawColumns } from './collect-documents.ts';

/** `lagoon.v1.Patch`. */
export interface PatchInit {
  readonly values: Uint8Array;
  readonly cleared: Uint8Array;
}

/** Patches of documents: attributes that are not given stay as they are, a null removes one. Undefined: there are none. */
export function buildPatch(
  idKind: IdKind,
  ids: readonly DocumentId[],
  documents: RawColumns,
  declared: ReadonlyMap<string, AttributeType>,
  blockBytesMax: number,
): PatchInit | undefined {
  if (ids.length === 0) return undefined;
  const cleared: ColumnInput[] = [];
  for (const [name, raw] of documents.attributes) {
    if (!raw.includes(null)) continue;
    const values = Array.from({ length: ids.length }, (_, row) => raw[row] === null);
    cleared.push({ name, type: { kind: 'scalar', scalar: 'bool' }, values });
  }
  const columns = buildColumns(documents, declared, blockBytesMax);
  return encodePatch(idKind, ids, columns, cleared);
}

export function encodePatch(
  idKind: IdKind,
  ids: readonly DocumentId[],
  columns: readonly ColumnInput[],
  cleared: readonly ColumnInput[],
): PatchInit {
  return {
    values: encodeBlock({ idKind, ids, deletes: [], columns }),
    cleared: cleared.length === 0 ? new Uint8Array(0) : encodeBlock({ idKind, ids, deletes: [], columns: cleared }),
  };
}
