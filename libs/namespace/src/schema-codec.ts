import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { corrupt } from '@lagoon/base';
import {
  type AttributeSchema,
  type AttributeType,
  type DistanceMetric,
  distanceMetrics,
  type FullTextSearch,
  formatAttributeType,
  fullTextSearchDefaults,
  type IdKind,
  type ListCodec,
  limits,
  listCodecs,
  type Schema,
  scalarTypes,
  type VectorElement,
} from '@lagoon/format';
import {
  type StoredAttribute,
  StoredAttributeSchema,
  type StoredFullTextSearch,
  StoredFullTextSearchSchema,
  type StoredSchema,
  StoredSchemaSchema,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';

const idKinds: readonly string[] = ['u64', 'uuid', 'string'] satisfies IdKind[];
const vectorElements: readonly string[] = ['f32', 'f16', 'i8'] satisfies VectorElement[];

export function schemaToStored(schema: Schema): StoredSchema {
  return create(StoredSchemaSchema, {
    idKind: schema.idKind,
    attributes: [...schema.attributes].map(([name, attribute]) => attributeToStored(name, attribute)),
  });
}

/** Throws `corrupt` for types, metrics or counts that this version does not know. */
export function schemaFromStored(stored: StoredSchema): Schema {
  if (!idKinds.includes(stored.idKind)) throw corrupt('unknown kind of id', { idKind: stored.idKind });
  if (stored.attributes.length > limits.attributeCountMax) throw corrupt('too many attributes in a stored schema');
  const attributes = new Map(stored.attributes.map((attribute) => [attribute.name, attributeFromStored(attribute)]));
  if (attributes.size !== stored.attributes.length) throw corrupt('an attribute twice in a stored schema');
  return { idKind: stored.idKind as IdKind, attributes };
}

function attributeToStored(name: string, attribute: AttributeSchema): StoredAttribute {
  return create(StoredAttributeSchema, {
    name,
    type: typeToText(attribute.type),
    filterable: attribute.filterable,
    glob: attribute.glob ?? false,
    regex: attribute.regex ?? false,
    fuzzy: attribute.fuzzy ?? false,
    sparseKnn: attribute.sparseKnn ?? false,
    annDistanceMetric: attribute.ann?.distanceMetric ?? '',
    annCodec: attribute.ann?.codec ?? '',
    ...(attribute.fullTextSearch === undefined
      ? {}
      : { fullTextSearch: create(StoredFullTextSearchSchema, fullTextToStored(attribute.fullTextSearch)) }),
  });
}

function attributeFromStored(stored: StoredAttribute): AttributeSchema {
  const metric = stored.annDistanceMetric;
  if (metric !== '' && !(distanceMetrics as readonly string[]).includes(metric)) {
    throw corrupt('unknown distance metric', { attribute: stored.name, metric });
  }
  return {
    type: typeFromText(stored.type, stored.name),
    filterable: stored.filterable,
    ...(stored.glob ? { glob: true } : {}),
    ...(stored.regex ? { regex: true } : {}),
    ...(stored.fuzzy ? { fuzzy: true } : {}),
    ...(stored.sparseKnn ? { sparseKnn: true } : {}),
    ...(metric === '' ? {} : { ann: { distanceMetric: metric as DistanceMetric, ...codecFromStored(stored) } }),
    ...(stored.fullTextSearch === undefined ? {} : { fullTextSearch: fullTextFromStored(stored.fullTextSearch) }),
  };
}

function codecFromStored({ name, annCodec }: StoredAttribute): { readonly codec?: ListCodec } {
  if (annCodec === '') return {};
  const codec = listCodecs.find((known) => known === annCodec);
  if (codec === undefined) throw corrupt('unknown codec of lists', { attribute: name, codec: annCodec });
  return { codec };
}

function fullTextToStored({ k3, ...settings }: FullTextSearch): MessageInitShape<typeof StoredFullTextSearchSchema> {
  return k3 === fullTextSearchDefaults.k3 ? settings : { ...settings, k3 };
}

function fullTextFromStored(stored: StoredFullTextSearch): FullTextSearch {
  const { tokenizer, language, stemming, removeStopwords, caseSensitive, asciiFolding, maxTokenLength, k1, b } = stored;
  const { k3 = fullTextSearchDefaults.k3 } = stored;
  return { tokenizer, language, stemming, removeStopwords, caseSensitive, asciiFolding, maxTokenLength, k1, b, k3 };
}

/** The dialect's spelling: `string`, `[]int`, `[100]f32`. */
function typeToText(type: AttributeType): string {
  return formatAttributeType(type);
}

function typeFromText(text: string, attribute: string): AttributeType {
  if (text === '{}f16') return { kind: 'array', scalar: 'entry' };
  const match = /^(?:\[([1-9][0-9]{0,5})?\])?([a-z0-9]+)$/.exec(text);
  const dims = match?.[1];
  const word = match?.[2] ?? '';
  const scalar = scalarTypes.find((type) => type === word);
  if (dims !== undefined && vectorElements.includes(word) && Number(dims) <= limits.dimensionsMax) {
    return { kind: 'vector', element: word as VectorElement, dims: Number(dims) };
  }
  if (dims === undefined && scalar !== undefined) return { kind: text.startsWith('[') ? 'array' : 'scalar', scalar };
  throw corrupt('unknown attribute type', { attribute, type: text });
}
