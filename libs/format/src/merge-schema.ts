import { invalidArgument } from '@lagoon/base';
import { checkAttributeName } from './attribute-name.ts';
import { checkVectorType, equalAttributeTypes, formatAttributeType, isSparseType } from './attribute-type.ts';
import type { Block, NamedColumn } from './column.ts';
import { canConvertColumn, isAllNull } from './convert-column.ts';
import { checkFilterableValues } from './filterable-values.ts';
import { checkFullTextSearch, equalFullTextSearch } from './full-text-search.ts';
import {
  type AttributeSchema,
  type AttributeType,
  type DistanceMetric,
  type FullTextSearch,
  fullTextSearchDefaults,
  type IdKind,
  type ListCodec,
  limits,
  type PatternSetting,
  patternSettings,
  type Schema,
} from './schema.ts';
import type { AttributeDeclaration, SchemaDeclaration } from './schema-declaration.ts';

/**
 * The namespace's schema after a write: declarations first, then attributes that only the block has, by their inferred
 * type. Returns `current` itself when nothing changes.
 *
 * - `metricDefault` is the request's distance metric (undefined: it names none). It is that of new vector attributes,
 *   else cosine_distance; a vector attribute that the request touches must have it already.
 * - Types, dimensions, metric and the kind of ids never change. `filterable`, `glob`, `regex`, `fuzzy` and full-text search may.
 * - A column without any value creates no attribute.
 *
 * Throws `invalid_argument` naming the attribute.
 */
export function mergeSchema(
  current: Schema | undefined,
  declared: SchemaDeclaration,
  block: Block | undefined,
  metricDefault?: DistanceMetric,
): Schema {
  const idKind = mergeIdKind(current?.idKind, declared.idKind, block);
  const draft = createDraft(current?.attributes);
  const inferred = inferredColumns(block);
  const seen = new Set<string>();
  for (const declaration of declared.attributes) {
    const { name } = declaration;
    if (seen.has(name)) throw invalidArgument('attribute is declared twice', { attribute: name });
    seen.add(name);
    const before = draft.get(name);
    const type = declaredType(before, declaration, inferred.get(name)?.type);
    draft.set(name, applyDeclaration(before, type, declaration, metricDefault));
  }
  for (const named of inferred.values()) {
    const before = draft.get(named.name);
    if (before === undefined)
      draft.set(named.name, applyDeclaration(undefined, inferable(named), named, metricDefault));
    else checkAgainst(named, before, seen.has(named.name) ? undefined : metricDefault);
  }
  const attributes = draft.result();
  if (block !== undefined) checkFilterableValues(block, attributes);
  if (current !== undefined && attributes === current.attributes) return current;
  checkCounts(attributes);
  return { idKind, attributes };
}

type Attributes = ReadonlyMap<string, AttributeSchema>;

/** The attributes with changes; the very same map while there are none, for most writes change nothing. */
interface AttributesDraft {
  get(name: string): AttributeSchema | undefined;
  set(name: string, attribute: AttributeSchema): void;
  result(): Attributes;
}

function createDraft(current: Attributes = new Map()): AttributesDraft {
  let changed: Map<string, AttributeSchema> | undefined;
  return {
    get: (name) => (changed ?? current).get(name),
    set(name, attribute) {
      if ((changed ?? current).get(name) === attribute) return;
      changed ??= new Map(current);
      changed.set(name, attribute);
    },
    result: () => changed ?? current,
  };
}

function mergeIdKind(current: IdKind | undefined, declared: IdKind | undefined, block: Block | undefined): IdKind {
  if (current !== undefined && declared !== undefined && current !== declared) {
    throw invalidArgument('type of the id cannot change', { type: current, declared });
  }
  const written = block === undefined || block.ids.count + block.deletes.count === 0 ? undefined : block.idKind;
  const idKind = current ?? declared ?? written;
  if (idKind === undefined)
    throw invalidArgument('type of the id is not declared and there are no ids to infer it from');
  if (written !== undefined && written !== idKind && !(written === 'string' && idKind === 'uuid')) {
    throw invalidArgument('ids are of another type than the namespace has', { type: written, expected: idKind });
  }
  return idKind;
}

/** The columns that have a value. */
function inferredColumns(block: Block | undefined): Map<string, NamedColumn> {
  const columns = new Map<string, NamedColumn>();
  for (const named of block?.columns.values() ?? []) {
    if (!isAllNull(named.column, block?.rowCount ?? 0)) columns.set(named.name, named);
  }
  return columns;
}

/** Sparse vectors are declared: what looks like one may be a mistake. */
function inferable({ name, type }: NamedColumn): AttributeType {
  if (isSparseType(type)) throw invalidArgument('a sparse vector must be declared', { attribute: name, type: '{}f16' });
  return type;
}

function declaredType(
  before: AttributeSchema | undefined,
  { name, type }: AttributeDeclaration,
  inferred: AttributeType | undefined,
): AttributeType {
  if (before === undefined) {
    const found = type ?? inferred;
    if (found === undefined) throw invalidArgument('type of the attribute is not declared', { attribute: name });
    return found;
  }
  if (type !== undefined && !equalAttributeTypes(type, before.type)) {
    throw invalidArgument('type of an attribute cannot change', {
      attribute: name,
      type: formatAttributeType(before.type),
      declared: formatAttributeType(type),
    });
  }
  return before.type;
}

function applyDeclaration(
  before: AttributeSchema | undefined,
  type: AttributeType,
  declaration: AttributeDeclaration,
  metricDefault: DistanceMetric | undefined,
): AttributeSchema {
  const { name } = declaration;
  checkNew(name, type);
  const fullTextSearch = mergeFullTextSearch(before?.fullTextSearch, declaration, type);
  const patterns = mergePatterns(before, declaration, type);
  const distanceMetric = mergeMetric(before, type, declaration, metricDefault);
  const codec = mergeCodec(before, declaration);
  const sparseKnn = mergeSparse(before, type, declaration);
  const merged: AttributeSchema = {
    type,
    filterable:
      declaration.filterable ?? (!isSparseType(type) && filterableDefault(before, { ...patterns, fullTextSearch })),
    ...patterns,
    ...(sparseKnn ? { sparseKnn } : {}),
    ...(fullTextSearch === undefined ? {} : { fullTextSearch }),
    ...(distanceMetric === undefined ? {} : { ann: { distanceMetric, ...(codec === undefined ? {} : { codec }) } }),
  };
  return before !== undefined && equalAttributes(before, merged) ? before : merged;
}

type Patterns = Pick<AttributeSchema, PatternSetting>;

/** An attribute that is searched otherwise is not compared by value unless it is said to be, or was before. */
function filterableDefault(
  before: AttributeSchema | undefined,
  after: Patterns & { readonly fullTextSearch: FullTextSearch | undefined },
): boolean {
  const isSearched = after.fullTextSearch !== undefined || after.glob === true || after.regex === true;
  if (before === undefined) return !isSearched;
  const wasSearched = before.fullTextSearch !== undefined || before.glob === true || before.regex === true;
  return wasSearched === isSearched ? before.filterable : !isSearched;
}

function mergePatterns(
  before: AttributeSchema | undefined,
  declaration: AttributeDeclaration,
  type: AttributeType,
): Patterns {
  const merged: { glob?: true; regex?: true; fuzzy?: true } = {};
  for (const name of patternSettings) {
    if (!(declaration[name] ?? before?.[name] ?? false)) continue;
    if (type.kind === 'vector' || type.scalar !== 'string') {
      throw invalidArgument(`only string attributes have ${name}`, {
        attribute: declaration.name,
        type: formatAttributeType(type),
      });
    }
    merged[name] = true;
  }
  return merged;
}

function mergeFullTextSearch(
  before: FullTextSearch | undefined,
  { name, fullTextSearch }: AttributeDeclaration,
  type: AttributeType,
): FullTextSearch | undefined {
  if (fullTextSearch === undefined) return before;
  if (fullTextSearch === false) return undefined;
  const settings = fullTextSearch === true ? (before ?? fullTextSearchDefaults) : fullTextSearch;
  checkFullTextSearch(name, type, settings);
  return settings;
}

function mergeSparse(
  before: AttributeSchema | undefined,
  type: AttributeType,
  { name, filterable, sparseKnn }: AttributeDeclaration,
): boolean {
  const isSparse = isSparseType(type);
  if (isSparse && filterable === true) throw invalidArgument('sparse vectors are not filterable', { attribute: name });
  if (!isSparse && sparseKnn === true) {
    throw invalidArgument('only sparse vectors have sparse_knn', { attribute: name, type: formatAttributeType(type) });
  }
  return sparseKnn ?? before?.sparseKnn ?? false;
}

function mergeMetric(
  before: AttributeSchema | undefined,
  type: AttributeType,
  { name, ann }: AttributeDeclaration,
  metricDefault: DistanceMetric | undefined,
): DistanceMetric | undefined {
  if (type.kind !== 'vector') {
    if (ann === undefined || ann === false) return undefined;
    throw invalidArgument('only vector attributes have an ann index', {
      attribute: name,
      type: formatAttributeType(type),
    });
  }
  if (ann === false) return undefined;
  const asked = (typeof ann === 'object' ? ann.distanceMetric : undefined) ?? metricDefault;
  const existing = before?.ann?.distanceMetric;
  if (existing !== undefined) {
    checkMetric(name, existing, asked);
    return existing;
  }
  if (before !== undefined && ann === undefined) return undefined;
  return asked ?? 'cosine_distance';
}

function mergeCodec(before: AttributeSchema | undefined, { ann }: AttributeDeclaration): ListCodec | undefined {
  const asked = typeof ann === 'object' ? ann.codec : undefined;
  return asked === 'auto' ? undefined : (asked ?? before?.ann?.codec);
}

function checkAgainst(
  { name, type, column }: NamedColumn,
  before: AttributeSchema,
  metricDefault: DistanceMetric | undefined,
): void {
  if (!canConvertColumn(column, type, before.type)) {
    throw invalidArgument('attribute is of another type', {
      attribute: name,
      type: formatAttributeType(type),
      expected: formatAttributeType(before.type),
    });
  }
  if (before.ann !== undefined) checkMetric(name, before.ann.distanceMetric, metricDefault);
}

function checkMetric(name: string, existing: DistanceMetric, asked: DistanceMetric | undefined): void {
  if (asked === undefined || asked === existing) return;
  throw invalidArgument('distance metric of an attribute cannot change', { attribute: name, metric: existing, asked });
}

function checkNew(name: string, type: AttributeType): void {
  checkAttributeName(name);
  if (type.kind === 'vector') checkVectorType(type, name);
}

function checkCounts(attributes: Attributes): void {
  if (attributes.size > limits.attributeCountMax) {
    throw invalidArgument('too many attributes', { attributes: attributes.size, max: limits.attributeCountMax });
  }
  let vectors = 0;
  for (const { type } of attributes.values()) if (type.kind === 'vector') vectors++;
  if (vectors > limits.vectorColumnCountMax) {
    throw invalidArgument('too many vector attributes', { vectors, max: limits.vectorColumnCountMax });
  }
}

function equalAttributes(a: AttributeSchema, b: AttributeSchema): boolean {
  return (
    a.filterable === b.filterable &&
    a.sparseKnn === b.sparseKnn &&
    patternSettings.every((name) => a[name] === b[name]) &&
    a.ann?.distanceMetric === b.ann?.distanceMetric &&
    a.ann?.codec === b.ann?.codec &&
    equalFullTextSearch(a.fullTextSearch, b.fullTextSearch)
  );
}
