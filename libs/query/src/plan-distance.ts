import { invalidAt } from '@lagoon/base';
import { type AttributeSchema, formatAttributeType, queryLimits, type Schema } from '@lagoon/format';
import { planQueryVector } from './plan-query-vector.ts';
import type { RankPlan } from './query-plan.ts';
import type { RankBy } from './query-spec.ts';

/** `path`: of the ranking or the computed value, which begins with the attribute. */
export function planVector(
  attribute: AttributeSchema,
  { attribute: name, query, exact, recall }: Required<Extract<RankBy, { readonly kind: 'vector' }>>,
  path: string,
): Extract<RankPlan, { readonly kind: 'vector' }> {
  const { type } = attribute;
  if (type.kind !== 'vector') {
    throw invalidAt(`${path}[0]`, 'attribute is not a vector', { attribute: name, type: formatAttributeType(type) });
  }
  if (query.length !== type.dims) {
    throw invalidAt(`${path}[2]`, 'query vector has the wrong number of dimensions', {
      attribute: name,
      expected: type.dims,
      found: query.length,
    });
  }
  const vector = planQueryVector(type, query, name, `${path}[2]`);
  if (!(recall > 0 && recall <= 1)) throw invalidAt('recall', 'out of range', { recall, above: 0, max: 1 });
  const metric = attribute.ann?.distanceMetric ?? 'cosine_distance';
  return {
    ...{ kind: 'vector', attribute: name, metric, element: type.element, query: vector },
    recall: exact || recall === 1 ? undefined : recall,
  };
}

export function planSparse(
  { type, sparseKnn }: AttributeSchema,
  { attribute, query }: Extract<RankBy, { readonly kind: 'sparse' }>,
  path: string,
): Extract<RankPlan, { readonly kind: 'sparse' }> {
  if (sparseKnn !== true) {
    throw invalidAt(`${path}[0]`, 'attribute has no sparse_knn', { attribute, type: formatAttributeType(type) });
  }
  if (query.length > queryLimits.sparseEntryCountMax) {
    const countMax = queryLimits.sparseEntryCountMax;
    throw invalidAt(`${path}[2]`, 'sparse query has too many dimensions', { attribute, count: query.length, countMax });
  }
  const isInOrder = query.every(({ dimension }, i) => i === 0 || dimension > (query[i - 1]?.dimension ?? 0));
  if (!isInOrder || !query.every(({ weight }) => Number.isFinite(weight))) {
    throw invalidAt(`${path}[2]`, 'sparse query is not in the order of its dimensions, or not finite', { attribute });
  }
  return { kind: 'sparse', attribute, query };
}

export function rankedAttribute(schema: Schema, name: string, path: string): AttributeSchema {
  const attribute = schema.attributes.get(name);
  if (attribute === undefined) throw invalidAt(path, 'unknown attribute', { attribute: name });
  return attribute;
}
