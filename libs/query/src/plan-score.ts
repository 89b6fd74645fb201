import { invalidAt, type LagoonError } from '@lagoon/base';
import { formatAttributeType, parseDatetime, queryLimits, type Schema } from '@lagoon/format';
import { checkTermCount } from './check-terms.ts';
import { planFilter } from './plan-filter.ts';
import { describeValue } from './plan-value.ts';
import type { ScorePlan } from './query-plan.ts';
import type { ScoreExpression } from './score-expression.ts';

/** Checks a score expression against the schema; `invalid_argument` names the place inside it. `path` is where it stands. */
export function planScore(schema: Schema, expression: ScoreExpression, path: string): ScorePlan {
  return planNode(schema, expression, path, 1, { nodeCount: 0 });
}

function planNode(
  schema: Schema,
  expression: ScoreExpression,
  path: string,
  depth: number,
  budget: { nodeCount: number },
): ScorePlan {
  if (depth > queryLimits.scoreDepthMax) {
    throw invalidAt(path, 'the expression is nested too deeply', { depthMax: queryLimits.scoreDepthMax });
  }
  if (++budget.nodeCount > queryLimits.scoreNodeCountMax) {
    throw invalidAt(path, 'the expression has too many parts', { countMax: queryLimits.scoreNodeCountMax });
  }
  const planPart = (part: ScoreExpression, partPath: string): ScorePlan =>
    planNode(schema, part, partPath, depth + 1, budget);
  switch (expression.kind) {
    case 'bm25':
      return planBm25(schema, expression, path);
    case 'sum':
    case 'max':
      if (expression.parts.length === 0) throw invalidAt(`${path}[1]`, `${expression.kind} of nothing`);
      return {
        kind: expression.kind,
        parts: expression.parts.map((part, i) => planPart(part, `${path}[1][${i}]`)),
      };
    case 'product':
      return planProduct(expression, path, planPart);
    case 'filter':
      return { kind: 'filter', filter: planFilter(schema, expression.filter, path) };
    case 'attribute':
      return planAttribute(schema, expression.attribute, path);
    case 'saturate':
    case 'decay': {
      const { kind, midpoint, exponent } = expression;
      checkNumber(midpoint, 0, `${path}[2].midpoint`);
      checkNumber(exponent, 0, `${path}[2].exponent`);
      return { kind, part: planPart(expression.part, `${path}[1]`), midpoint, exponent };
    }
    case 'dist': {
      const part = planPart(expression.part, `${path}[1]`);
      return { kind: 'dist', part, origin: originOf(part, expression, path) };
    }
  }
}

/** Above the bound. */
function checkNumber(value: number, bound: number, path: string): void {
  if (Number.isFinite(value) && value > bound) return;
  throw invalidAt(path, 'the number is out of range', { found: value });
}

/** The dialect takes its two parts in any order. */
function planProduct(
  { factor, part, isPartFirst = false }: Extract<ScoreExpression, { readonly kind: 'product' }>,
  path: string,
  planPart: (part: ScoreExpression, path: string) => ScorePlan,
): ScorePlan {
  checkNumber(factor, Number.NEGATIVE_INFINITY, `${path}[${isPartFirst ? 2 : 1}]`);
  return { kind: 'product', factor, part: planPart(part, `${path}[${isPartFirst ? 1 : 2}]`) };
}

function planBm25(
  schema: Schema,
  { attribute: name, query, lastAsPrefix }: Extract<ScoreExpression, { readonly kind: 'bm25' }>,
  path: string,
): ScorePlan {
  const attribute = schema.attributes.get(name);
  if (attribute === undefined) throw unknownAttribute(name, `${path}[0]`);
  const { fullTextSearch: settings } = attribute;
  if (settings === undefined) {
    const type = formatAttributeType(attribute.type);
    throw invalidAt(`${path}[0]`, 'attribute has no full_text_search', { attribute: name, type });
  }
  const texts = typeof query === 'string' ? [query] : query;
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (bytes > queryLimits.queryTextBytesMax || texts.length > queryLimits.queryTermCountMax) {
    const { queryTextBytesMax: bytesMax, queryTermCountMax: countMax } = queryLimits;
    throw invalidAt(`${path}[2]`, 'query text is too long', { attribute: name, bytes, bytesMax, countMax });
  }
  checkTermCount(settings, texts, `${path}[2]`);
  return { kind: 'bm25', attribute: name, settings, query, lastAsPrefix };
}

function planAttribute(schema: Schema, name: string, path: string): ScorePlan {
  const attribute = schema.attributes.get(name);
  if (attribute === undefined) throw unknownAttribute(name, `${path}[1]`);
  const { type } = attribute;
  if (type.kind !== 'scalar' || !isNumeric(type.scalar)) {
    throw invalidAt(`${path}[1]`, 'attribute is not a number', { attribute: name, type: formatAttributeType(type) });
  }
  return { kind: 'attribute', attribute: name, scalar: type.scalar };
}

function isNumeric(scalar: string): scalar is 'int' | 'uint' | 'float' | 'bool' | 'datetime' {
  return scalar === 'int' || scalar === 'uint' || scalar === 'float' || scalar === 'bool' || scalar === 'datetime';
}

function originOf(
  part: ScorePlan,
  { origin }: Extract<ScoreExpression, { readonly kind: 'dist' }>,
  path: string,
): number {
  const isDatetime = part.kind === 'attribute' && part.scalar === 'datetime';
  const parsed = isDatetime && typeof origin === 'string' ? parseDatetime(origin) : origin;
  const number = typeof parsed === 'bigint' ? Number(parsed) : parsed;
  if (typeof number === 'number' && Number.isFinite(number)) return number;
  const expected = isDatetime ? 'a datetime or a number' : 'a number';
  throw invalidAt(`${path}[2]`, 'origin does not fit what it is compared with', {
    expected,
    found: describeValue(origin),
  });
}

function unknownAttribute(attribute: string, path: string): LagoonError {
  return invalidAt(path, 'unknown attribute in a score', { attribute });
}
