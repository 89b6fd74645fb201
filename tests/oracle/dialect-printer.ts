import {
  type AttributeType,
  type AttributeValue,
  type DocumentId,
  formatAttributeType,
  type IdKind,
  type Schema,
  unpackSparseEntry,
} from '@lagoon/format';
import {
  type Comparison,
  comparisonOperators,
  type Filter,
  patternOperators,
  takesList,
  tokenOperators,
} from '../../libs/query/src/filter.ts';
import type { GroupKey, QuerySpec, RankBy } from '../../libs/query/src/query-spec.ts';
import type { ScoreExpression } from '../../libs/query/src/score-expression.ts';
import type { TestDocument } from '../../libs/query/src/testing.ts';

/** Documents, schemas and queries of the oracle as a client writes them; independent of the parsers that read them. */
export function toJsonText(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) => (typeof one === 'bigint' ? json.rawJSON(String(one)) : one));
}

/** Integers beyond 2^53 as bigint. */
export function fromJsonText(text: string): unknown {
  return json.parse(text, (_key, value, { source = '' }) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value,
  );
}

/** What the runtime has and its declarations do not. */
const json = JSON as unknown as {
  rawJSON(text: string): unknown;
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
};

/** How a value comes back: -0 is 0 in JSON. */
export function valueToJson(value: AttributeValue | readonly number[], type: AttributeType): unknown {
  if (value === null || value === undefined) return null;
  if (type.kind === 'vector') return Array.from(value as readonly number[]);
  if (type.scalar === 'entry') return sparseToJson(value as readonly bigint[]);
  if (type.kind === 'array') return (value as readonly AttributeValue[]).map((one) => scalarToJson(one, type.scalar));
  return scalarToJson(value as AttributeValue, type.scalar);
}

function scalarToJson(value: AttributeValue, scalar: string): unknown {
  if (scalar === 'datetime') return new Date(Number(value)).toISOString();
  if (typeof value === 'bigint') return plainInteger(value);
  return value === 0 ? 0 : value;
}

/** As `fromJsonText` reads it. */
export function plainInteger(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

export function idToJson(id: DocumentId): unknown {
  return typeof id === 'bigint' ? plainInteger(id) : id;
}

function sparseToJson(entries: readonly bigint[]): unknown {
  return Object.fromEntries(entries.map(unpackSparseEntry).map(({ dimension, weight }) => [dimension, weight]));
}

export function rowToJson(schema: Schema, { id, values }: TestDocument): Record<string, unknown> {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  const typeOf = (name: string): AttributeType => {
    const type = schema.attributes.get(name)?.type;
    if (type === undefined) throw new Error(`no attribute ${name}`);
    return type;
  };
  return {
    id: idToJson(id),
    ...Object.fromEntries(given.map(([name, value]) => [name, valueToJson(value as AttributeValue, typeOf(name))])),
  };
}

const idTypes: Readonly<Record<IdKind, string>> = { u64: 'uint', uuid: 'uuid', string: 'string' };

export function schemaToJson({ idKind, attributes }: Schema): unknown {
  const entries = [...attributes].map(([name, one]) => {
    const { type, filterable, fullTextSearch: text, ann, sparseKnn, glob, regex, fuzzy } = one;
    const settings = text && {
      ...{ tokenizer: text.tokenizer, language: text.language, stemming: text.stemming },
      ...{ remove_stopwords: text.removeStopwords, case_sensitive: text.caseSensitive },
      ...{
        ascii_folding: text.asciiFolding,
        max_token_length: text.maxTokenLength,
        k1: text.k1,
        b: text.b,
        k3: text.k3,
      },
    };
    const isPlain = type.kind !== 'vector' && sparseKnn !== true;
    const flags = { glob, regex, fuzzy, sparse_knn: sparseKnn, full_text_search: settings };
    return [
      name,
      {
        type: sparseKnn === true ? '{}f16' : formatAttributeType(type),
        ...(isPlain ? { filterable } : {}),
        ...(ann === undefined ? {} : { ann: { distance_metric: ann.distanceMetric } }),
        ...Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)),
      },
    ] as const;
  });
  return { id: idTypes[idKind], ...Object.fromEntries(entries) };
}

export function filterToJson(filter: Filter): unknown {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return [filter.kind === 'and' ? 'And' : 'Or', filter.filters.map(filterToJson)];
    case 'not':
      return ['Not', filterToJson(filter.filter)];
    case 'comparison':
      return comparisonToJson(filter);
    case 'pattern':
      return [filter.attribute, patternOperators[filter.operator], filter.pattern];
    case 'fuzzy': {
      const steps = filter.maxEditDistance.map((step) => ({
        min_query_chars: step.minQueryChars,
        distance: step.distance,
      }));
      const options = { max_edit_distance: steps, case_sensitive: filter.caseSensitive };
      return [filter.attribute, 'Fuzzy', filter.query, options];
    }
    case 'tokens': {
      const { attribute, operator, texts, lastAsPrefix } = filter;
      const query = texts.length === 1 ? texts[0] : texts;
      return [attribute, tokenOperators[operator], query, ...(lastAsPrefix ? [{ last_as_prefix: true }] : [])];
    }
  }
}

function comparisonToJson({ attribute, operator, values }: Comparison): unknown {
  return [attribute, comparisonOperators[operator], takesList(operator) ? values : values[0]];
}

function scoreToJson(score: ScoreExpression): unknown {
  switch (score.kind) {
    case 'bm25': {
      const { attribute, query, lastAsPrefix } = score;
      return [attribute, 'BM25', query, ...(lastAsPrefix ? [{ last_as_prefix: true }] : [])];
    }
    case 'sum':
    case 'max':
      return [score.kind === 'sum' ? 'Sum' : 'Max', score.parts.map(scoreToJson)];
    case 'product': {
      const part = scoreToJson(score.part);
      return score.factor > 0 ? ['Product', score.factor, part] : ['Product', part, score.factor];
    }
    case 'filter':
      return filterToJson(score.filter);
    case 'attribute':
      return ['Attribute', score.attribute];
    case 'saturate':
    case 'decay': {
      const { midpoint, exponent } = score;
      const curve = { midpoint, ...(exponent === 1 ? {} : { exponent }) };
      return [score.kind === 'saturate' ? 'Saturate' : 'Decay', scoreToJson(score.part), curve];
    }
    case 'dist':
      return ['Dist', scoreToJson(score.part), score.origin];
  }
}

/** Vectors as base64 where they are asked for by ANN. */
function rankToJson(rankBy: Exclude<RankBy, { readonly kind: 'aggregate' }>): unknown {
  switch (rankBy.kind) {
    case 'vector': {
      const { attribute, query, exact } = rankBy;
      return exact
        ? [attribute, 'kNN', [...query]]
        : [attribute, 'ANN', Buffer.from(query.buffer, query.byteOffset, query.byteLength).toString('base64')];
    }
    case 'text':
      return scoreToJson(rankBy.expression);
    case 'sparse':
      return [
        rankBy.attribute,
        'SparseKNN',
        Object.fromEntries(rankBy.query.map(({ dimension, weight }) => [dimension, weight])),
      ];
    case 'order': {
      const keys = rankBy.keys.map(({ attribute, descending }) => [attribute, descending ? 'desc' : 'asc']);
      return keys.length === 1 ? keys[0] : keys;
    }
  }
}

export function specToJson(spec: QuerySpec, offset: number): Record<string, unknown> {
  const { rankBy, filter, limit, limitPer } = spec;
  const filters = filter === undefined ? {} : { filters: filterToJson(filter) };
  if (rankBy.kind === 'aggregate') {
    const groups = rankBy.groupBy.length === 0 ? {} : { group_by: rankBy.groupBy.map(groupToJson) };
    const numbers = rankBy.aggregates.map(({ label, kind, attribute }) => [
      label,
      [kind === 'count' ? 'Count' : 'Sum', ...(attribute === undefined ? [] : [attribute])],
    ]);
    return { aggregate_by: Object.fromEntries(numbers) as unknown, ...groups, ...filters, limit };
  }
  const total = limit - offset;
  return {
    rank_by: rankToJson(rankBy),
    ...filters,
    limit: limitPer === undefined ? total : { total, per: limitPer },
    ...(offset === 0 ? {} : { offset }),
    ...(spec.projection.kind === 'all' ? { include_attributes: true } : {}),
  };
}

function groupToJson({ label, attribute, eachElement }: GroupKey): unknown {
  return eachElement ? { [label]: ['ForEachUnique', attribute] } : attribute;
}
