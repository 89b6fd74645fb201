/**
 * A namespace with an attribute of every kind, and valid queries of every form on it: what tests of wrong queries change. Free
 * texts begin with `free`; every other text has a meaning.
 */
export const sampleWrite = {
  upsert_rows: [
    {
      ...{ id: 1, vector: [1, 2], other: [1, 2, 3], sparse: { 3: 0.5, 9: 1 } },
      ...{
        n: 7,
        u: 8,
        f: 0.5,
        ok: true,
        at: '2026-01-01T00:00:00Z',
        uid: '00000000-0000-4000-8000-000000000001',
        raw: 'free',
      },
      ...{
        s: 'free/a.ts',
        plain: 'p',
        tags: ['a', 'freeb'],
        sizes: [1, 5],
        title: 'free fox in the sea',
        lines: ['free', 'x'],
      },
    },
    {
      id: 2,
      vector: [0, 1],
      other: [3, 2, 1],
      sparse: { 3: 2 },
      n: 2,
      s: 'b',
      title: 'a deep free sea',
      tags: ['freeb'],
    },
    { id: 3 },
  ],
  schema: {
    vector: { type: '[2]f32', ann: true },
    other: { type: '[3]f32', ann: true },
    sparse: { type: '{}f16', sparse_knn: true },
    s: { type: 'string', filterable: true, glob: true, regex: true, fuzzy: true },
    plain: 'string',
    title: { type: 'string', full_text_search: true },
    lines: { type: '[]string', full_text_search: true },
    u: 'uint',
    f: 'float',
    at: 'datetime',
    uid: 'uuid',
    raw: 'bytes',
    sizes: '[]int',
  },
  distance_metric: 'cosine_distance',
};

const byId = ['id', 'asc'];
const bm25 = ['title', 'BM25', 'free sea'];
const fuzzy = { max_edit_distance: [{ min_query_chars: 6, distance: 1 }], case_sensitive: false };

export const validFilters: readonly unknown[] = [
  ['n', 'Eq', 7],
  ['n', 'NotIn', [1, 2, null]],
  ['f', 'Lte', 1.5],
  ['at', 'Gt', '2025-01-01'],
  ['uid', 'Eq', '00000000-0000-4000-8000-000000000001'],
  ['raw', 'In', ['free']],
  ['ok', 'Eq', true],
  ['id', 'Gte', 2],
  ['tags', 'ContainsAny', ['free', 'freeb']],
  ['sizes', 'AnyLt', 3],
  ['s', 'Glob', 'free*'],
  ['s', 'Regex', 'free.*ts$'],
  ['s', 'Fuzzy', 'free/abc', fuzzy],
  ['title', 'ContainsAllTokens', 'free sea', { last_as_prefix: true }],
  ['lines', 'ContainsAnyToken', ['free', 'freely']],
  ['title', 'ContainsTokenSequence', 'free fox'],
  [
    'And',
    [
      ['n', 'Eq', 7],
      [
        'Or',
        [
          ['Not', ['s', 'NotGlob', 'free*']],
          ['tags', 'Contains', 'free'],
        ],
      ],
    ],
  ],
];

export const validRankings: readonly unknown[] = [
  byId,
  [['n', 'desc'], ['s', 'asc'], byId],
  ['vector', 'ANN', [1, 0.5]],
  ['other', 'kNN', [1, 2, 3]],
  ['vector', 'ANN', Buffer.from(Float32Array.of(1, 2).buffer).toString('base64')],
  ['sparse', 'SparseKNN', { 3: 1, 9: 0.5 }],
  bm25,
  ['title', 'BM25', ['free', 'freesea'], { last_as_prefix: true }],
  [
    'Sum',
    [
      ['Product', 2, bm25],
      [
        'Max',
        [
          ['lines', 'BM25', 'free'],
          ['Attribute', 'n'],
        ],
      ],
    ],
  ],
  ['Product', ['Saturate', ['Attribute', 'f'], { midpoint: 3, exponent: 2 }], 0.5],
  ['Decay', ['Dist', ['Attribute', 'at'], '2026-01-01'], { midpoint: '6h' }],
  ['Sum', [['n', 'Eq', 7], ['Not', ['s', 'Glob', 'free*']], bm25]],
];

export const validQueries: readonly object[] = [
  ...validRankings.map((rank_by) => ({ rank_by, limit: 3 })),
  ...validFilters.map((filters) => ({ rank_by: byId, filters })),
  {
    rank_by: ['vector', 'ANN', [1, 2]],
    top_k: 3,
    recall: 0.9,
    include_attributes: ['n', 's'],
    vector_encoding: 'base64',
  },
  { rank_by: byId, limit: 2, offset: 1, exclude_attributes: ['vector'], profile: true },
  { rank_by: byId, limit: { total: 5, per: { attributes: ['s', 'n'], limit: 1 } }, include_attributes: true },
  { rank_by: byId, consistency: { level: 'eventual', max_staleness_seconds: 5, min_manifest_generation: 1 } },
  { rank_by: byId, consistency: { level: 'strong' } },
  {
    rank_by: bm25,
    compute_attributes: {
      freeName: [
        'Highlight',
        'title',
        {
          fragment_by: 'word',
          fragment_limit: 2,
          include_offsets: 'utf-8',
          rank_fragments_by: ['title', 'BM25', 'free'],
        },
      ],
      freeOther: ['Highlight', 'title'],
    },
  },
  { aggregate_by: { freeLabel: ['Count'], freeSum: ['Sum', 'n'], freeCount: ['Count', 's'] }, filters: ['n', 'Gt', 1] },
  { aggregate_by: { freeLabel: ['Count'] }, group_by: ['s', { freeTag: ['ForEachUnique', 'tags'] }], limit: 5 },
  {
    queries: [{ rank_by: byId, limit: 2 }, { aggregate_by: { freeLabel: ['Count'] } }],
    consistency: { level: 'strong' },
  },
  {
    queries: [
      { rank_by: bm25 },
      { rank_by: ['vector', 'kNN', [1, 2]], filters: ['n', 'Gt', 1], include_attributes: ['n'] },
    ],
    rerank_by: ['RRF', { rank_constant: 10, weights: [1, 0.5] }],
    limit: 3,
    offset: 1,
  },
  {
    queries: [{ rank_by: bm25, limit: 5 }, { rank_by: ['vector', 'ANN', [1, 2]] }],
    rerank_by: ['WeightedSum', { weights: [1, 2], normalize: 'z_score' }],
  },
  { queries: [{ rank_by: bm25 }], rerank_by: ['RRF'] },
];

export const validRecalls: readonly object[] = [
  { num: 1, top_k: 2, rank_by: ['vector', 'ANN', [1, 2]], include_ground_truth: true, recall: 0.9 },
  { num: 2, filters: ['n', 'Gt', 1] },
];

const huge = ['Product', 1e308, ['Product', 1e308, bm25]];
const below = ['Product', -1e308, ['Product', 1e308, bm25]];

/** Scores past what a double holds, and what would be no number if they were infinite. */
export const hugeQueries: readonly object[] = [
  { rank_by: huge },
  { rank_by: ['Sum', [huge, below, bm25]] },
  { rank_by: ['Max', [huge, below]] },
  { rank_by: ['Dist', huge, -1e308] },
  { rank_by: ['Decay', huge, { midpoint: 1e-300, exponent: 1e-300 }] },
  { rank_by: ['Saturate', ['Attribute', 'n'], { midpoint: 5e-324, exponent: 1e308 }] },
  ...[
    ['RRF', { weights: [1e308, 1e308], rank_constant: 5e-324 }],
    ['WeightedSum', { weights: [1e308, 1e308], normalize: 'none' }],
    ['WeightedSum', { weights: [1e308, 1e308], normalize: 'z_score' }],
    ['WeightedSum', { weights: [1e308, 1e308] }],
  ].map((rerank_by) => ({ queries: [{ rank_by: huge }, { rank_by: bm25 }], rerank_by })),
];
