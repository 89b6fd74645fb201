import { fullTextSearchDefaults, patternSettings } from '@lagoon/format';
import type { AttributeSchema, Schema } from '@lagoon/proto/lagoon/v1/value_pb.js';
import type { JsonObject } from '../json/shape.ts';

/** A schema as the dialect answers it: `{attribute: {type, …}}`, with `id` where its type is known. */
export function schemaToJson(schema: Schema | undefined): JsonObject {
  const out: Record<string, unknown> = Object.create(null);
  if (schema === undefined) return out;
  if (schema.idType !== '') out.id = { type: schema.idType === 'u64' ? 'uint' : schema.idType };
  for (const attribute of schema.attributes) out[attribute.name] = attributeToJson(attribute);
  return out;
}

function attributeToJson(attribute: AttributeSchema): JsonObject {
  const out: Record<string, unknown> = { type: attribute.type };
  if (attribute.filterable !== undefined) out.filterable = attribute.filterable;
  for (const name of patternSettings) if (attribute[name] === true) out[name] = true;
  const text = attribute.fullTextSearch;
  if (text !== undefined) {
    out.full_text_search = {
      tokenizer: text.tokenizer,
      language: text.language,
      stemming: text.stemming,
      remove_stopwords: text.removeStopwords,
      case_sensitive: text.caseSensitive,
      ascii_folding: text.asciiFolding,
      max_token_length: text.maxTokenLength,
      k1: text.k1,
      b: text.b,
      k3: text.k3 ?? fullTextSearchDefaults.k3,
    };
  }
  if (attribute.sparseKnn === true) out.sparse_knn = true;
  const { ann } = attribute;
  if (ann !== undefined) {
    out.ann = { distance_metric: ann.distanceMetric, ...(ann.codec === '' ? {} : { codec: ann.codec }) };
  }
  return out;
}
