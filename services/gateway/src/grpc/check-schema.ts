import type { Ann, AttributeSchema, Schema } from '@lagoon/proto/lagoon/v1/value_pb.js';
import { type DeclaredSchema, parseSchema } from '../schema/parse-schema.ts';

/** A schema that comes as a message goes through the same checks, and gets the same defaults, as one that comes as JSON. */
export function checkSchema(schema: Schema | undefined): DeclaredSchema | undefined {
  if (schema === undefined) return undefined;
  const object: Record<string, unknown> = Object.create(null);
  if (schema.idType !== '') object.id = schema.idType;
  for (const attribute of schema.attributes) object[attribute.name] = toSettings(attribute);
  return parseSchema(object, 'schema');
}

function toSettings(attribute: AttributeSchema): Record<string, unknown> {
  const text = attribute.fullTextSearch;
  return {
    type: attribute.type,
    filterable: attribute.filterable,
    glob: attribute.glob,
    regex: attribute.regex,
    fuzzy: attribute.fuzzy,
    sparse_knn: attribute.sparseKnn,
    full_text_search:
      text === undefined
        ? undefined
        : {
            tokenizer: text.tokenizer === '' ? undefined : text.tokenizer,
            language: text.language === '' ? undefined : text.language,
            stemming: text.stemming,
            remove_stopwords: text.removeStopwords,
            case_sensitive: text.caseSensitive,
            ascii_folding: text.asciiFolding,
            max_token_length: text.maxTokenLength === 0 ? undefined : text.maxTokenLength,
            k1: text.k1 === 0 ? undefined : text.k1,
            b: text.b === 0 ? undefined : text.b,
            k3: text.k3,
          },
    ann: attribute.ann === undefined ? undefined : annSettings(attribute.ann),
  };
}

function annSettings({ distanceMetric, codec }: Ann): unknown {
  return {
    distance_metric: distanceMetric === '' ? undefined : distanceMetric,
    codec: codec === '' ? undefined : codec,
  };
}
