import type { AttributeType, DistanceMetric, FullTextSearch, IdKind, ListCodec } from './schema.ts';

/** What a request declares beside its data. A field that is absent leaves what is there, or takes its default. */
export interface SchemaDeclaration {
  readonly idKind?: IdKind | undefined;
  readonly attributes: readonly AttributeDeclaration[];
}

export interface AttributeDeclaration {
  readonly name: string;
  readonly type?: AttributeType | undefined;
  /** Default true; false where the same declaration turns full-text search, `glob` or `regex` on. */
  readonly filterable?: boolean | undefined;
  readonly glob?: boolean | undefined;
  readonly regex?: boolean | undefined;
  readonly fuzzy?: boolean | undefined;
  /** Only sparse vectors. */
  readonly sparseKnn?: boolean | undefined;
  /** true: the defaults, or the settings it already has. */
  readonly fullTextSearch?: FullTextSearch | boolean | undefined;
  /** Only vectors, which have it by default. */
  readonly ann?:
    | { readonly distanceMetric?: DistanceMetric | undefined; readonly codec?: ListCodec | 'auto' | undefined }
    | boolean
    | undefined;
}
