import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { inPlace, unimplemented } from '@lagoon/base';
import {
  type AttributeType,
  type DistanceMetric,
  distanceMetrics,
  type IdKind,
  isSparseType,
  limits,
  listCodecs,
  parseAttributeType,
  patternSettings,
} from '@lagoon/format';
import { type AttributeSchemaSchema, type Schema, SchemaSchema } from '@lagoon/proto/lagoon/v1/value_pb.js';
import {
  asBoolean,
  asObject,
  asOneOf,
  asString,
  at,
  clip,
  isObject,
  type JsonObject,
  refuseUnknownFields,
  wrongShape,
  wrongValue,
} from '../json/shape.ts';
import { checkAttributeName } from '../write/names.ts';
import { parseFullTextSearch } from './parse-full-text-search.ts';

/** What a request declares about types: as a message for the ingester, and by name for reading its values. */
export interface DeclaredSchema {
  readonly message: Schema;
  readonly types: ReadonlyMap<string, AttributeType>;
}

/** Reads `{attribute: type or {type, …}}`. */
export function parseSchema(value: unknown, path: string): DeclaredSchema {
  const object = asObject(value, path);
  const names = Object.keys(object);
  if (names.length > limits.attributeCountMax + 1) {
    throw wrongValue(path, 'too many attributes', { found: names.length, max: limits.attributeCountMax });
  }
  const types = new Map<string, AttributeType>();
  const attributes: MessageInitShape<typeof AttributeSchemaSchema>[] = [];
  let idType = '';
  for (const name of names) {
    const where = at(path, clip(name));
    if (name === 'id') {
      idType = parseIdType(object[name], where);
      continue;
    }
    checkAttributeName(name, where);
    const { type, message } = parseAttribute(name, object[name], where);
    types.set(name, type);
    attributes.push(message);
  }
  return { message: create(SchemaSchema, { idType, attributes }), types };
}

const idKinds: ReadonlyMap<string, IdKind> = new Map([
  ['uint', 'u64'],
  ['u64', 'u64'],
  ['uuid', 'uuid'],
  ['string', 'string'],
]);

function parseIdType(value: unknown, path: string): IdKind {
  const name = isObject(value) ? value.type : value;
  const text = asString(name, path, 'a type');
  const kind = idKinds.get(text);
  if (kind === undefined) throw wrongValue(path, 'an id is uint, uuid or string', { found: clip(text) });
  return kind;
}

const attributeFields = new Set([
  'type',
  'filterable',
  'full_text_search',
  'regex',
  'glob',
  'fuzzy',
  'ann',
  'sparse_knn',
  'embed',
  'drop',
]);

function parseAttribute(
  name: string,
  value: unknown,
  path: string,
): { readonly type: AttributeType; readonly message: MessageInitShape<typeof AttributeSchemaSchema> } {
  if (typeof value === 'string') {
    return { type: parseType(value, path), message: { name, type: value } };
  }
  if (!isObject(value)) throw wrongShape(path, 'a type or an object with a type', value);
  refuseUnknownFields(value, path, attributeFields);
  refuseUnserved(value, path);
  const typeName = asString(value.type, at(path, 'type'), 'a type');
  const type = parseType(typeName, at(path, 'type'));
  const message: MessageInitShape<typeof AttributeSchemaSchema> = { name, type: typeName };
  if (isGiven(value.filterable)) message.filterable = asBoolean(value.filterable, at(path, 'filterable'));
  for (const setting of patternSettings) {
    if (!isGiven(value[setting])) continue;
    message[setting] = asBoolean(value[setting], at(path, setting));
    if (message[setting] && (type.kind === 'vector' || type.scalar !== 'string')) {
      throw wrongValue(at(path, setting), 'only string and []string have it', { type: typeName });
    }
  }
  const fullText = parseFullTextSearch(value.full_text_search, at(path, 'full_text_search'));
  if (fullText !== undefined) {
    if (type.kind === 'vector' || type.scalar !== 'string') {
      throw wrongValue(at(path, 'full_text_search'), 'only string and []string have it', { type: typeName });
    }
    message.fullTextSearch = fullText;
  }
  const sparseKnn = parseSparseKnn(value.sparse_knn, type, at(path, 'sparse_knn'));
  if (sparseKnn !== undefined) message.sparseKnn = sparseKnn;
  const ann = parseAnn(value.ann, type, at(path, 'ann'));
  if (ann !== undefined) message.ann = ann;
  return { type, message };
}

function parseType(text: string, path: string): AttributeType {
  // Lists of vectors per row are a known name that is refused as an argument, not as a missing function.
  if (/^\[\]\[\d+\]/.test(text))
    throw wrongValue(path, 'lists of vectors per row are not supported', { type: clip(text) });
  return inPlace(`${path}: `, () => parseAttributeType(text));
}

/** Known settings that are not served yet; switched off they are as good as absent. */
function refuseUnserved(value: JsonObject, path: string): void {
  if (isGiven(value.drop) && asBoolean(value.drop, at(path, 'drop'))) throw unimplemented(at(path, 'drop'));
  if (isGiven(value.embed)) throw wrongValue(at(path, 'embed'), 'embedding on the server is not supported');
}

const sparseFields = new Set(['distance_metric']);

function parseSparseKnn(value: unknown, type: AttributeType, path: string): boolean | undefined {
  if (!isGiven(value)) return undefined;
  if (value !== false && !isSparseType(type)) throw wrongValue(path, 'only sparse vectors ({}f16) have it');
  if (typeof value === 'boolean') return value;
  if (!isObject(value)) throw wrongShape(path, 'a boolean or an object', value);
  refuseUnknownFields(value, path, sparseFields);
  if (isGiven(value.distance_metric)) asOneOf(value.distance_metric, at(path, 'distance_metric'), ['dot_product']);
  return true;
}

/** Empty: none was named. */
interface ParsedAnn {
  readonly distanceMetric: string;
  readonly codec: string;
}

const annCodecs = [...listCodecs, 'auto'] as const;
const annFields = new Set(['distance_metric', 'codec', 'late_interaction']);

function parseAnn(value: unknown, type: AttributeType, path: string): ParsedAnn | undefined {
  if (!isGiven(value) || value === false) return undefined;
  if (type.kind !== 'vector') throw wrongValue(path, 'only vector attributes have it');
  if (value === true) return { distanceMetric: '', codec: '' };
  if (!isObject(value)) throw wrongShape(path, 'a boolean or an object', value);
  refuseUnknownFields(value, path, annFields);
  if (isGiven(value.late_interaction) && asBoolean(value.late_interaction, at(path, 'late_interaction'))) {
    throw wrongValue(at(path, 'late_interaction'), 'lists of vectors per row are not supported');
  }
  const metric = value.distance_metric;
  return {
    distanceMetric: isGiven(metric) ? parseDistanceMetric(metric, at(path, 'distance_metric')) : '',
    codec: isGiven(value.codec) ? asOneOf(value.codec, at(path, 'codec'), annCodecs) : '',
  };
}

export function parseDistanceMetric(value: unknown, path: string): DistanceMetric {
  return asOneOf(value, path, distanceMetrics);
}

/** Absent and null are the same to the dialect's clients. */
export function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}
