import { invalidAt } from '@lagoon/base';
import { queryLimits, type Schema } from '@lagoon/format';
import { planSparse, planVector, rankedAttribute } from './plan-distance.ts';
import { planScore } from './plan-score.ts';
import type { ValuePlan } from './query-plan.ts';
import type { QuerySpec, ValueSpec } from './query-spec.ts';

/** Checks what is to be computed beside the highlights; `invalid_argument` names it. */
export function planValues(schema: Schema, { values = [], highlights = [] }: QuerySpec): readonly ValuePlan[] {
  if (values.length === 0) return [];
  const { highlightCountMax: countMax } = queryLimits;
  if (values.length + highlights.length > countMax) {
    throw invalidAt('compute_attributes', 'too many computed attributes', { countMax });
  }
  const taken = new Set(['id', '$dist', ...schema.attributes.keys(), ...highlights.map(({ name }) => name)]);
  return values.map((value) => {
    const { name } = value;
    const path = `compute_attributes.${name}`;
    if (taken.has(name)) throw invalidAt(path, 'name of a computed attribute is taken', { name });
    taken.add(name);
    return { name, of: planValue(schema, value, path) };
  });
}

function planValue(schema: Schema, { of }: ValueSpec, path: string): ValuePlan['of'] {
  switch (of.kind) {
    case 'text':
      return { kind: 'text', score: planScore(schema, of.expression, path) };
    case 'vector':
      return planVector(rankedAttribute(schema, of.attribute, `${path}[0]`), { ...of, exact: true, recall: 1 }, path);
    case 'sparse':
      return planSparse(rankedAttribute(schema, of.attribute, `${path}[0]`), of, path);
  }
}
