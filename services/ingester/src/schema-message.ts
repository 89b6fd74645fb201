import type { MessageInitShape } from '@bufbuild/protobuf';
import { invalidArgument } from '@lagoon/base';
import {
  type AttributeDeclaration,
  type DistanceMetric,
  distanceMetrics,
  formatAttributeType,
  fullTextSearchDefaults,
  type IdKind,
  listCodecs,
  parseAttributeType,
  type Schema,
  type SchemaDeclaration,
} from '@lagoon/format';
import type {
  Ann,
  AttributeSchema,
  FullTextSearch,
  Schema as SchemaMessage,
  SchemaSchema,
} from '@lagoon/proto/lagoon/v1/value_pb.js';

const idKinds: readonly IdKind[] = ['u64', 'uuid', 'string'];

/** What a request declares; throws `invalid_argument` for types and metrics that do not exist. */
export function readSchemaDeclaration(message: SchemaMessage | undefined): SchemaDeclaration {
  if (message === undefined) return { attributes: [] };
  return { idKind: readIdKind(message.idType), attributes: message.attributes.map(readAttribute) };
}

/** Undefined for the empty string. */
export function readDistanceMetric(text: string): DistanceMetric | undefined {
  if (text === '') return undefined;
  const metric = distanceMetrics.find((known) => known === text);
  if (metric === undefined) throw invalidArgument('unknown distance metric', { metric: text });
  return metric;
}

export function schemaMessage(schema: Schema): MessageInitShape<typeof SchemaSchema> {
  return {
    idType: schema.idKind,
    attributes: [...schema.attributes].map(([name, attribute]) => ({
      name,
      type: formatAttributeType(attribute.type),
      filterable: attribute.filterable,
      glob: attribute.glob ?? false,
      regex: attribute.regex ?? false,
      fuzzy: attribute.fuzzy ?? false,
      ...(attribute.sparseKnn ? { sparseKnn: true } : {}),
      ...(attribute.fullTextSearch === undefined ? {} : { fullTextSearch: { ...attribute.fullTextSearch } }),
      ...(attribute.ann === undefined ? {} : { ann: { ...attribute.ann } }),
    })),
  };
}

function readIdKind(text: string): IdKind | undefined {
  if (text === '') return undefined;
  const kind = idKinds.find((known) => known === text);
  if (kind === undefined) throw invalidArgument('unknown type of id', { type: text });
  return kind;
}

function readAttribute(message: AttributeSchema): AttributeDeclaration {
  return {
    name: message.name,
    type: message.type === '' ? undefined : parseAttributeType(message.type),
    filterable: message.filterable,
    glob: message.glob,
    regex: message.regex,
    fuzzy: message.fuzzy,
    sparseKnn: message.sparseKnn,
    fullTextSearch: message.fullTextSearch && withK3(message.fullTextSearch),
    ann: message.ann === undefined ? undefined : readAnn(message.ann),
  };
}

function withK3({
  k3 = fullTextSearchDefaults.k3,
  ...settings
}: FullTextSearch): AttributeDeclaration['fullTextSearch'] {
  return { ...settings, k3 };
}

function readAnn({ distanceMetric, codec }: Ann): AttributeDeclaration['ann'] {
  const known = [...listCodecs, 'auto' as const].find((name) => name === codec);
  if (codec !== '' && known === undefined) throw invalidArgument('unknown codec of an ann index', { codec });
  return { distanceMetric: readDistanceMetric(distanceMetric), codec: known };
}
