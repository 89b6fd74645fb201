import { invalidArgument, type LagoonError, utf8Encode } from '@lagoon/base';
import { formatAttributeType, parseDatetime, type Schema } from '@lagoon/format';
import { planFilter } from './plan-filter.ts';
import { describeValue } from './plan-value.ts';
import type { ScorePlan } from './query-plan.ts';
import { queryLimits } from './query-spec.ts';
import type { ScoreExpression } from './score-expression.ts';

/** Checks a score expression against the schema; `invalid_argument` names the path inside the expression. */
export function planScore(schema: Schema, expression: ScoreExpression): ScorePlan {
  const budget = { nodeCount: 0 };
  return planNode(schema, expression, 'rank_by', 1, budget);
}

function planNode(
  schema: Schema,
  expression: ScoreExpression,
  path: string,
  depth: number,
  budget: { nodeCount: number },
): ScorePlan {
  if (depth > queryLimits.scoreDepthMax) {
    throw invalidArgument('rank_by is nested too deeply', { path, depthMax: queryLimits.scoreDepthMax });
  }
  if (++budget.nodeCount > queryLimits.scoreNodeCountMax) {
    throw invalidArgument('rank_by has too many parts', { path, countMax: queryLimits.scoreNodeCountMax });
  }
  const planPart = (part: ScoreExpression, partPath: string): ScorePlan =>
    planNode(schema, part, partPath, depth + 1, budget);
  switch (expression.kind) {
    case 'bm25':
      return planBm25(schema, expression, path);
    case 'sum':
    case 'max':
      if (expression.parts.length === 0) throw invalidArgument(`${expression.kind} of nothing`, { path });
      return {
        kind: expression.kind,
        parts: expression.parts.map((part, i) => planPart(part, `${path}[1][${i}]`)),
      };
    case 'product':
      checkNumber(expression.factor, -Infinity, 'factor', path);
      return { kind: 'product', factor: expression.factor, part: planPart(expression.part, `${path}[2]`) };
    case 'filter':
      return { kind: 'filter', filter: planFilter(schema, expression.filter, path) };
    case 'attribute':
      return planAttribute(schema, expression.attribute, path);
    case 'saturate':
    case 'decay': {
      const { kind, midpoint, exponent } = expression;
      checkNumber(midpoint, 0, 'midpoint', path);
      checkNumber(exponent, 0, 'exponent', path);
      return { kind, part: planPart(expression.part, `${path}[1]`), midpoint, exponent };
    }
    case 'dist': {
      const part = planPart(expression.part, `${path}[1]`);
      return { kind: 'dist', part, origin: originOf(part, expression, path) };
    }
  }
}

/** Above the bound. */
function checkNumber(value: number, bound: number, name: string, path: string): void {
  if (Number.isFinite(value) && value > bound) return;
  throw invalidArgument(`${name} is out of range`, { path, value });
}

function planBm25(
  schema: Schema,
  { attribute: name, query, lastAsPrefix }: Extract<ScoreExpression, { readonly kind: 'bm25' }>,
  path: string,
): ScorePlan {
  const attribute = schema.attributes.get(name);
  if (attribute === undefined) throw unknownAttribute(name, path);
  const { fullTextSearch: settings } = attribute;
  if (settings === undefined) {
    const type = formatAttributeType(attribute.type);
    throw invalidArgument('attribute has no full_text_search', { attribute: name, type, path });
  }
  const texts = typeof query === 'string' ? [query] : query;
  const bytes = texts.reduce((sum, text) => sum + utf8Encode(text).length, 0);
  if (bytes > queryLimits.queryTextBytesMax || texts.length > queryLimits.queryTermCountMax) {
    const { queryTextBytesMax: bytesMax, queryTermCountMax: countMax } = queryLimits;
    throw invalidArgument('query text is too long', { attribute: name, bytes, bytesMax, countMax, path });
  }
  return { kind: 'bm25', attribute: name, settings, query, lastAsPrefix };
}

function planAttribute(schema: Schema, name: string, path: string): ScorePlan {
  const attribute = schema.attributes.get(name);
  if (attribute === undefined) throw unknownAttribute(name, path);
  const { type } = attribute;
  if (type.kind !== 'scalar' || !isNumeric(type.scalar)) {
    throw invalidArgument('attribute is not a number', { attribute: name, type: formatAttributeType(type), path });
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
  throw invalidArgument('origin does not fit what it is compared with', {
    path: `${path}[2]`,
    expected,
    found: describeValue(origin),
  });
}

function unknownAttribute(attribute: string, path: string): LagoonError {
  return invalidArgument('unknown attribute in rank_by', { attribute, path });
}
