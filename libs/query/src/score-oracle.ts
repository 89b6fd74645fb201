import { saturated } from '@lagoon/base';
import type { AttributeValue, DocumentId, Schema } from '@lagoon/format';
import { parseDatetime } from '@lagoon/format';
import type { Filter } from './filter.ts';
import type { ScoreExpression } from './score-expression.ts';
import type { TestDocument } from './testing.ts';

/** Scores of a brute-force reference, for tests: without any index, bound or block. NaN: no value. */
export type Scorer = (document: TestDocument) => number;

export function createScorer(
  schema: Schema,
  documents: readonly TestDocument[],
  expression: ScoreExpression,
  admits: (document: TestDocument, filter: Filter) => boolean,
): Scorer {
  const scorerOf = (part: ScoreExpression): Scorer => createScorer(schema, documents, part, admits);
  switch (expression.kind) {
    case 'bm25':
      return bm25Scorer(schema, documents, expression);
    case 'sum': {
      const parts = expression.parts.map(scorerOf);
      return (document) => parts.reduce((sum, part) => saturated(sum + orZero(part(document))), 0);
    }
    case 'max': {
      const parts = expression.parts.map(scorerOf);
      return (document) => Math.max(...parts.map((part) => orZero(part(document))));
    }
    case 'product': {
      const part = scorerOf(expression.part);
      return (document) => saturated(expression.factor * part(document));
    }
    case 'filter':
      return (document) => Number(admits(document, expression.filter));
    case 'attribute':
      return ({ values }) => {
        const value = values[expression.attribute] ?? null;
        return value === null ? Number.NaN : Number(value);
      };
    case 'saturate': {
      const part = scorerOf(expression.part);
      return (document) => ratio(part(document), expression, (x) => x);
    }
    case 'decay': {
      const part = scorerOf(expression.part);
      return (document) => ratio(part(document), expression, (x) => -x);
    }
    case 'dist': {
      const part = scorerOf(expression.part);
      const origin = numberOf(expression.origin);
      return (document) => Math.abs(saturated(part(document) - origin));
    }
  }
}

/** x^e / (x^e + m^e), or with the signs of the exponents turned, m^e / (x^e + m^e). */
function ratio(
  x: number,
  { midpoint, exponent }: { readonly midpoint: number; readonly exponent: number },
  sign: (exponent: number) => number,
): number {
  if (Number.isNaN(x)) return x;
  const rises = sign(1) === 1;
  if (x <= 0) return rises ? 0 : 1;
  return 1 / (1 + (rises ? midpoint / x : x / midpoint) ** exponent);
}

function numberOf(origin: AttributeValue): number {
  return Number(typeof origin === 'string' ? parseDatetime(origin) : origin);
}

export function orZero(score: number): number {
  return Number.isNaN(score) ? 0 : score;
}

/** Texts of the tests are lower-case ASCII words with single spaces. */
function bm25Scorer(
  schema: Schema,
  documents: readonly TestDocument[],
  { attribute: name, query, lastAsPrefix }: Extract<ScoreExpression, { readonly kind: 'bm25' }>,
): Scorer {
  const wordsOf = (text: string): string[] => text.split(' ').filter((word) => word !== '');
  const settings = schema.attributes.get(name)?.fullTextSearch;
  if (settings === undefined) throw new Error('no full_text_search');
  const texts = new Map<DocumentId, readonly string[]>();
  for (const { id, values } of documents) if (values[name] != null) texts.set(id, wordsOf(values[name] as string));
  const averageLength = [...texts.values()].reduce((sum, text) => sum + text.length, 0) / texts.size;
  const queryWords = typeof query === 'string' ? wordsOf(query) : query.flatMap(wordsOf);
  const prefix = lastAsPrefix ? queryWords.pop() : undefined;
  const terms = [...new Set(queryWords)].map((term) => ({
    matches: (word: string) => word === term,
    count: queryWords.filter((other) => other === term).length,
  }));
  if (prefix !== undefined) terms.push({ matches: (word) => word.startsWith(prefix), count: 1 });
  const weighted = terms.map(({ matches, count }) => {
    const frequency = [...texts.values()].filter((text) => text.some(matches)).length;
    const idf = Math.log(1 + (texts.size - frequency + 0.5) / (frequency + 0.5));
    return { matches, weight: idf * (settings.k1 + 1) * (((settings.k3 + 1) * count) / (settings.k3 + count)) };
  });
  return ({ id }) => {
    const text = texts.get(id) ?? [];
    const norm = settings.k1 * (1 - settings.b + (settings.b * text.length) / averageLength);
    return weighted.reduce((sum, { matches, weight }) => {
      const frequency = text.filter(matches).length;
      return frequency === 0 ? sum : sum + weight * (1 / (1 + norm / frequency));
    }, 0);
  };
}
