import { invalidAt } from '@lagoon/base';
import {
  type AttributeSchema,
  type AttributeType,
  formatAttributeType,
  type PatternSetting,
  type Schema,
} from '@lagoon/format';
import { testOfFuzzy, testOfPattern } from './check-filter.ts';
import { checkTermCount } from './check-terms.ts';
import { type FuzzyFilter, type PatternFilter, patternOperators, type TokenFilter, tokenOperators } from './filter.ts';
import { filteredAttribute, idTypeNames } from './filtered-attribute.ts';
import type { FilterPlan } from './query-plan.ts';

/** Without the negation that the operator may be. */
export function planPattern(schema: Schema, filter: PatternFilter, path: string): FilterPlan {
  const setting = filter.operator === 'regex' ? 'regex' : 'glob';
  const operator = patternOperators[filter.operator];
  const type = typeOfText(schema, filter.attribute, setting, operator, path);
  return { kind: 'text', attribute: filter.attribute, type, test: testOfPattern(filter) };
}

export function planFuzzy(schema: Schema, filter: FuzzyFilter, path: string): FilterPlan {
  const type = typeOfText(schema, filter.attribute, 'fuzzy', 'Fuzzy', path);
  const test = testOfFuzzy(filter);
  return test === undefined ? { kind: 'none' } : { kind: 'text', attribute: filter.attribute, type, test };
}

export function planTokens(schema: Schema, filter: TokenFilter, path: string): FilterPlan {
  const { attribute, operator, texts, lastAsPrefix } = filter;
  const found = attribute === 'id' ? undefined : filteredAttribute(schema, attribute, path);
  if (found?.fullTextSearch === undefined) {
    throw invalidAt(path, 'attribute has no full_text_search', {
      attribute,
      operator: tokenOperators[operator],
      attributeType: typeName(schema, found),
    });
  }
  const { type, fullTextSearch: settings } = found;
  checkTermCount(settings, texts, `${path}[2]`);
  return { kind: 'tokens', attribute, type, settings, operator, texts, lastAsPrefix };
}

/** Glob is admitted on what is filterable, too; ids have no settings, so strings among them admit everything. */
function typeOfText(
  schema: Schema,
  attribute: string,
  setting: PatternSetting,
  operator: string,
  path: string,
): AttributeType {
  const found = attribute === 'id' ? undefined : filteredAttribute(schema, attribute, path);
  const type = found?.type ?? { kind: 'scalar', scalar: schema.idKind === 'u64' ? 'uint' : schema.idKind };
  if (type.kind === 'vector' || type.scalar !== 'string') {
    throw invalidAt(path, 'the operator needs an attribute of strings', {
      attribute,
      operator,
      attributeType: typeName(schema, found),
      valueType: 'string',
    });
  }
  if (found !== undefined && found[setting] !== true && !(setting === 'glob' && found.filterable)) {
    const needs = setting === 'glob' ? 'glob or filterable' : setting;
    throw invalidAt(path, `the operator needs ${needs} in the attribute's schema`, { attribute, operator });
  }
  return type;
}

function typeName(schema: Schema, attribute: AttributeSchema | undefined): string {
  return attribute === undefined ? idTypeNames[schema.idKind] : formatAttributeType(attribute.type);
}
