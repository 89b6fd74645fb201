/** Each bound of a query: what is just within it (absent: this namespace has no such attribute) and just past it. */
export interface BoundCase {
  readonly title: string;
  readonly within?: object;
  readonly past: object;
  readonly message: RegExp;
}

const byId = ['id', 'asc'];
const bm25 = ['title', 'BM25', 'free'];
const many = <T>(count: number, one: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => one(i));
const record = <T>(count: number, one: T): Record<string, T> => Object.fromEntries(many(count, (i) => [`x${i}`, one]));
const nestedNot = (depth: number): unknown => (depth === 1 ? ['n', 'Eq', 1] : ['Not', nestedNot(depth - 1)]);
const nestedSum = (depth: number): unknown => (depth === 1 ? bm25 : ['Sum', [nestedSum(depth - 1)]]);
const filtered = (filters: unknown): object => ({ rank_by: byId, filters });
const ranked = (rank_by: unknown): object => ({ rank_by });

export const boundCases: readonly BoundCase[] = [
  {
    title: 'limit',
    within: { rank_by: byId, limit: 10_000 },
    past: { rank_by: byId, limit: 10_001 },
    message: /^limit: must be from 1 to 10000/,
  },
  {
    title: 'top_k',
    within: { rank_by: byId, top_k: 10_000 },
    past: { rank_by: byId, top_k: 10_001 },
    message: /^top_k: must be from 1 to 10000/,
  },
  {
    title: 'offset and limit',
    within: { rank_by: byId, offset: 9_990 },
    past: { rank_by: byId, offset: 9_991 },
    message: /^offset: offset and limit together/,
  },
  {
    title: 'limit.per.limit',
    within: { rank_by: byId, limit: { total: 1, per: { attributes: ['s'], limit: 10_000 } } },
    past: { rank_by: byId, limit: { total: 1, per: { attributes: ['s'], limit: 10_001 } } },
    message: /^limit\.per\.limit: must be from 1/,
  },
  {
    title: 'limit.per.attributes',
    past: { rank_by: byId, limit: { total: 1, per: { attributes: many(9, () => 's'), limit: 1 } } },
    message: /^limit\.per\.attributes: wrong number.*max=8/,
  },
  {
    title: 'dimensions of another vector',
    past: ranked(['vector', 'ANN', many(10_752, () => 1)]),
    message: /^rank_by\[2\]: .*wrong number of dimensions.*expected=2, found=10752/,
  },
  {
    title: 'dimensions of any vector',
    past: ranked(['vector', 'kNN', many(10_753, () => 1)]),
    message: /^rank_by\[2\]: .*too many dimensions.*dimsMax=10752/,
  },
  {
    title: 'dimensions of any vector in base64',
    past: ranked(['vector', 'ANN', Buffer.alloc(4 * 10_753).toString('base64')]),
    message: /^rank_by\[2\]: .*too many dimensions/,
  },
  {
    title: 'order keys',
    within: ranked(many(8, () => byId)),
    past: ranked(many(9, () => byId)),
    message: /^rank_by: too many attributes to order by.*max=8/,
  },
  {
    title: 'entries of a sparse query',
    within: ranked(['sparse', 'SparseKNN', Object.fromEntries(many(1_024, (i) => [String(i), 1]))]),
    past: ranked(['sparse', 'SparseKNN', Object.fromEntries(many(1_025, (i) => [String(i), 1]))]),
    message: /^rank_by\[2\]: .*too many dimensions.*count=1025/,
  },
  {
    title: 'depth of a score',
    within: ranked(nestedSum(16)),
    past: ranked(nestedSum(17)),
    message: /^rank_by(\[1\]\[0\]){16}: nested too deeply/,
  },
  {
    title: 'parts of a score',
    within: ranked(['Sum', many(255, () => bm25)]),
    past: ranked(['Sum', many(256, () => bm25)]),
    message: /^rank_by\[1\]\[255\]: .*too many parts/,
  },
  {
    title: 'bytes of a query text',
    within: ranked(['title', 'BM25', 'x'.repeat(16 << 10)]),
    past: ranked(['title', 'BM25', 'x'.repeat((16 << 10) + 1)]),
    message: /^rank_by\[2\]: .*too long/,
  },
  {
    title: 'tokens of a query',
    within: ranked(['title', 'BM25', many(1_024, () => 'x')]),
    past: ranked(['title', 'BM25', many(1_025, () => 'x')]),
    message: /^rank_by\[2\]: .*too long/,
  },
  {
    title: 'terms of a query text',
    within: ranked(['title', 'BM25', 'x '.repeat(1_024)]),
    past: ranked(['Max', [bm25, ['title', 'BM25', 'x '.repeat(1_025)]]]),
    message: /^rank_by\[1\]\[1\]\[2\]: .*too many terms.*count=1025/,
  },
  {
    title: 'depth of a filter',
    within: filtered(nestedNot(64)),
    past: filtered(nestedNot(65)),
    message: /^filters(\[1\]){64}: .*nested too deeply/,
  },
  {
    title: 'depth of a filter within a score',
    within: ranked(['Sum', [nestedNot(64)]]),
    past: ranked(['Sum', [nestedNot(65)]]),
    message: /^rank_by\[1\]\[0\](\[1\]){64}: .*nested too deeply/,
  },
  {
    title: 'parts of a filter',
    within: filtered(['Or', many(9_999, () => ['n', 'Eq', 1])]),
    past: filtered(['Or', many(10_000, () => ['n', 'Eq', 1])]),
    message: /^filters\[1\]\[9999\]: .*too many parts/,
  },
  {
    title: 'values of In',
    within: filtered(['n', 'In', many(10_000, (i) => i)]),
    past: filtered(['n', 'In', many(10_001, (i) => i)]),
    message: /^filters\[2\]: too many values/,
  },
  {
    title: 'values of a filter',
    within: filtered(['Or', many(10, () => ['n', 'In', many(10_000, (i) => i)])]),
    past: filtered(['Or', many(11, () => ['n', 'In', many(10_000, (i) => i)])]),
    message: /^filters\[1\]\[10\]\[2\]: .*too many values/,
  },
  {
    title: 'values of an array',
    within: filtered(['sizes', 'Eq', many(10_000, () => 1)]),
    past: filtered(['sizes', 'Eq', many(10_001, () => 1)]),
    message: /^filters\[2\]: too many values/,
  },
  {
    title: 'patterns',
    within: filtered(['Or', many(64, () => ['s', 'Glob', '?ree*'])]),
    past: filtered(['Or', many(65, () => ['s', 'Glob', '?ree*'])]),
    message: /^filters\[1\]\[64\]: .*too many patterns/,
  },
  {
    title: 'bytes of a pattern',
    within: filtered(['s', 'Glob', 'x'.repeat(4_096)]),
    past: filtered(['s', 'Glob', 'x'.repeat(4_097)]),
    message: /^filters\[2\]: .*too long/,
  },
  {
    title: 'instructions of an expression',
    within: filtered(['s', 'Regex', '(a*)*(a|aa)+$']),
    past: filtered(['s', 'Regex', '(.{0,40}){60}x']),
    message: /^filters\[2\]: the regular expression is too large/,
  },
  {
    title: 'repetitions of an expression',
    within: filtered(['s', 'Regex', 'a{1000}']),
    past: filtered(['Not', ['s', 'Regex', 'a{1001}']]),
    message: /^filters\[1\]\[2\]: the regular expression/,
  },
  {
    title: 'nested groups of an expression',
    past: filtered(['s', 'Regex', `${'('.repeat(2_000)}a${')'.repeat(2_000)}`]),
    message: /^filters\[2\]: the regular expression/,
  },
  {
    title: 'choices of a glob',
    within: filtered(['s', 'Glob', '*a*a*a*a*a*a*a*a*a*a*b']),
    past: filtered(['s', 'Glob', `{${many(1_500, (i) => `a${i}`).join(',')}`.slice(0, 4_096)]),
    message: /^filters\[2\]: /,
  },
  {
    title: 'characters of a fuzzy query',
    within: filtered(['s', 'Fuzzy', 'x'.repeat(256), { max_edit_distance: [{ min_query_chars: 9, distance: 2 }] }]),
    past: filtered(['s', 'Fuzzy', 'x'.repeat(257), { max_edit_distance: [{ min_query_chars: 9, distance: 2 }] }]),
    message: /^filters\[2\]: .*too long.*charsMax=256/,
  },
  {
    title: 'tokens of a filter',
    within: filtered(['title', 'ContainsAnyToken', many(1_024, () => 'x')]),
    past: filtered(['title', 'ContainsAnyToken', many(1_025, () => 'x')]),
    message: /^filters\[2\]: too many tokens/,
  },
  {
    title: 'terms of a token filter',
    within: filtered(['title', 'ContainsAllTokens', 'x '.repeat(1_024)]),
    past: filtered(['And', [['title', 'ContainsAllTokens', 'x '.repeat(1_025)]]]),
    message: /^filters\[1\]\[0\]\[2\]: .*too many terms/,
  },
  {
    title: 'aggregates',
    within: { aggregate_by: record(32, ['Count']) },
    past: { aggregate_by: record(33, ['Count']) },
    message: /^aggregate_by: too few or too many aggregates/,
  },
  {
    title: 'group keys',
    past: { aggregate_by: record(1, ['Count']), group_by: many(9, (i) => `x${i}`) },
    message: /^group_by: too few or too many attributes/,
  },
  {
    title: 'computed attributes',
    within: { rank_by: bm25, compute_attributes: record(16, ['Highlight', 'title']) },
    past: { rank_by: bm25, compute_attributes: record(17, ['Highlight', 'title']) },
    message: /^compute_attributes: too many computed attributes/,
  },
  {
    title: 'fragments',
    past: { rank_by: bm25, compute_attributes: { x: ['Highlight', 'title', { fragment_limit: 101 }] } },
    message: /^compute_attributes\.x\[2\]\.fragment_limit: must be from 1 to 100/,
  },
  {
    title: 'queries',
    within: { queries: many(16, () => ranked(byId)) },
    past: { queries: many(17, () => ranked(byId)) },
    message: /^queries: too few or too many queries/,
  },
  {
    title: 'rows of a fused list',
    within: { queries: [ranked(bm25)], rerank_by: ['RRF'], limit: 10_000 },
    past: { queries: [ranked(bm25)], rerank_by: ['RRF'], limit: 10_001 },
    message: /^limit: must be from 1/,
  },
  {
    title: 'a query among several',
    past: { queries: [ranked(byId), ranked(['zzz', 'asc'])] },
    message: /^queries\[1\]\.rank_by\[0\]: unknown attribute/,
  },
  {
    title: 'a query alone in a list',
    past: { queries: [filtered(['zzz', 'Eq', 1])] },
    message: /^queries\[0\]\.filters\[0\]: unknown attribute/,
  },
  {
    title: 'an unknown reranker',
    past: { queries: [ranked(bm25)], rerank_by: { model: 'zzz', query: 'x', attribute: 'title' } },
    message: /^rerank_by\.model: no such reranker.*configured=none/,
  },
  {
    title: 'names of attributes',
    past: { rank_by: byId, include_attributes: many(1_026, (i) => `x${i}`) },
    message: /^include_attributes: too many names/,
  },
  {
    title: 'an unknown attribute among many',
    past: { rank_by: byId, exclude_attributes: ['n', 'id', 'zzz'] },
    message: /^exclude_attributes\[2\]: unknown attribute/,
  },
  {
    title: 'a recall above 1',
    past: { rank_by: ['vector', 'ANN', [1, 2]], recall: 1.01 },
    message: /^recall: must be above 0 and at most 1/,
  },
  {
    title: 'staleness',
    past: { rank_by: byId, consistency: { level: 'eventual', max_staleness_seconds: 1e9 } },
    message: /^consistency\.max_staleness_seconds: must be from 0/,
  },
];
