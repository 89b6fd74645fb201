import type { AttributeValue, DocumentId, Schema } from '@lagoon/format';
import type { Filter } from '../../libs/query/src/filter.ts';
import { admits } from '../../libs/query/src/oracle.ts';
import type { TestDocument } from '../../libs/query/src/testing.ts';

/** What a namespace must hold, by plain steps. */
export interface OracleNamespace {
  readonly name: string;
  readonly schema: Schema;
  readonly documents: ReadonlyMap<DocumentId, TestDocument>;
}

export type Patch = Readonly<Record<string, AttributeValue>>;

export function upserted(
  { documents }: OracleNamespace,
  upserts: readonly TestDocument[],
  deletes: readonly DocumentId[],
): Map<DocumentId, TestDocument> {
  const next = new Map(documents);
  for (const document of upserts) next.set(document.id, document);
  for (const id of deletes) next.delete(id);
  return next;
}

/** Unknown ids are passed over. */
export function patched(
  { documents }: OracleNamespace,
  patches: readonly { readonly id: DocumentId; readonly values: Patch }[],
): Map<DocumentId, TestDocument> {
  const next = new Map(documents);
  for (const { id, values } of patches) {
    const document = documents.get(id);
    if (document !== undefined) next.set(id, { id, values: { ...document.values, ...values } });
  }
  return next;
}

export function matching({ schema, documents }: OracleNamespace, filter: Filter): TestDocument[] {
  return [...documents.values()].filter((document) => admits(schema, document, filter));
}
