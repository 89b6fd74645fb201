/**
 * The schema of a namespace as plain values: what types its attributes have and how they are indexed.
 * Names and defaults are those of the HTTP dialect.
 */
export type IdKind = 'u64' | 'uuid' | 'string';

export const scalarTypes = ['string', 'int', 'uint', 'float', 'uuid', 'datetime', 'bool', 'bytes'] as const;
/** `entry`: a dimension and its weight; only in arrays, which are the sparse vectors (`{}f16`). */
export type ScalarType = (typeof scalarTypes)[number] | 'entry';

export type VectorElement = 'f32' | 'f16' | 'i8';

/**
 * - `scalar`: one value per row. int is i64, uint is u64, float is f64, datetime is i64 ms since the epoch, UTC.
 * - `array`: any number of scalars per row.
 * - `vector`: `dims` elements per row.
 */
export type AttributeType =
  | { readonly kind: 'scalar'; readonly scalar: ScalarType }
  | { readonly kind: 'array'; readonly scalar: ScalarType }
  | VectorType;

export interface VectorType {
  readonly kind: 'vector';
  readonly element: VectorElement;
  readonly dims: number;
}

export const distanceMetrics = ['cosine_distance', 'euclidean_squared', 'dot_product'] as const;
export type DistanceMetric = (typeof distanceMetrics)[number];

export const tokenizers = ['word_v4', 'word_v3', 'word_v2', 'word_v1', 'word_v0', 'pre_tokenized_array'] as const;

export const languages = [
  'arabic',
  'danish',
  'dutch',
  'english',
  'finnish',
  'french',
  'german',
  'greek',
  'hungarian',
  'italian',
  'norwegian',
  'portuguese',
  'romanian',
  'russian',
  'spanish',
  'swedish',
  'tamil',
  'turkish',
] as const;

/** What `full_text_search: true` means. */
export const fullTextSearchDefaults: FullTextSearch = {
  tokenizer: 'word_v4',
  language: 'english',
  stemming: false,
  removeStopwords: false,
  caseSensitive: false,
  asciiFolding: false,
  maxTokenLength: 39,
  k1: 1.2,
  b: 0.75,
  k3: 8,
};

export interface FullTextSearch {
  readonly tokenizer: string;
  readonly language: string;
  readonly stemming: boolean;
  readonly removeStopwords: boolean;
  readonly caseSensitive: boolean;
  readonly asciiFolding: boolean;
  readonly maxTokenLength: number;
  readonly k1: number;
  readonly b: number;
  /** A term that is q times in a query counts (k3 + 1) · q / (k3 + q) times. */
  readonly k3: number;
}

/** Settings of string and []string attributes that admit operators on their texts. */
export const patternSettings = ['glob', 'regex', 'fuzzy'] as const;
export type PatternSetting = (typeof patternSettings)[number];

/** How lists of an ANN index keep vectors. */
export const listCodecs = ['flat', 'int8', 'pq4'] as const;
export type ListCodec = (typeof listCodecs)[number];

export interface AnnSettings {
  readonly distanceMetric: DistanceMetric;
  /** Absent: chosen for each segment by its size and the dimensions. */
  readonly codec?: ListCodec;
}

export interface AttributeSchema {
  readonly type: AttributeType;
  /** Compared by value: Eq, In, Lt, Contains, … and Glob. */
  readonly filterable: boolean;
  /** Only string and []string attributes: matched by Glob, Regex, Fuzzy. Absent: not. */
  readonly glob?: true;
  readonly regex?: true;
  readonly fuzzy?: true;
  /** Only sparse vectors: ranked by SparseKNN. */
  readonly sparseKnn?: true;
  /** Only string and []string attributes. */
  readonly fullTextSearch?: FullTextSearch;
  /** Only vector attributes: searched by ANN. */
  readonly ann?: AnnSettings;
}

export interface Schema {
  readonly idKind: IdKind;
  /** By attribute name; `id` is not among them. Iteration order is creation order. */
  readonly attributes: ReadonlyMap<string, AttributeSchema>;
}

export const limits = {
  dimensionsMax: 10_752,
  vectorColumnCountMax: 8,
  attributeCountMax: 1_024,
  attributeNameBytesMax: 128,
  idBytesMax: 64,
  namespaceNameBytesMax: 128,
  valueBytesMax: 8 << 20,
  filterableValueBytesMax: 4 << 10,
  documentBytesMax: 64 << 20,
  topKMax: 10_000,
} as const;
