import type { MessageInitShape } from '@bufbuild/protobuf';
import type { MeasureRecallRequestSchema, MeasureRecallResponse } from '@lagoon/proto/lagoon/v1/query_pb.js';
import {
  asBoolean,
  asFiniteNumber,
  asInteger,
  asObject,
  type JsonObject,
  refuseUnknownFields,
  wrongValue,
} from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';
import { parseFilter } from './parse-filter.ts';
import { parseRankBy } from './parse-rank-by.ts';
import { createValueWriter, floatsOf, rowToJson } from './query-response.ts';

const fields = new Set(['num', 'top_k', 'filters', 'rank_by', 'include_ground_truth', 'recall']);
const searchCountMax = 100;
const rowCountMax = 10_000;

/** The body of `_debug/recall`; an empty one asks for the defaults. */
export function parseRecall(value: unknown, namespace: string): MessageInitShape<typeof MeasureRecallRequestSchema> {
  const body = asObject(value ?? {}, 'body');
  refuseUnknownFields(body, '', fields);
  const recall = isGiven(body.recall) ? asFiniteNumber(body.recall, 'recall') : 0;
  if (isGiven(body.recall) && !(recall > 0 && recall <= 1)) {
    throw wrongValue('recall', 'must be above 0 and at most 1', { found: recall });
  }
  return {
    namespace,
    num: isGiven(body.num) ? asInteger(body.num, 'num', 1, searchCountMax) : 0,
    topK: isGiven(body.top_k) ? asInteger(body.top_k, 'top_k', 1, rowCountMax) : 0,
    ...(isGiven(body.filters) ? { filter: parseFilter(body.filters, 'filters') } : {}),
    ...(isGiven(body.rank_by) ? { rankBy: parseTarget(body.rank_by, body.num) } : {}),
    recall,
    includeGroundTruth:
      isGiven(body.include_ground_truth) && asBoolean(body.include_ground_truth, 'include_ground_truth'),
  };
}

function parseTarget(value: unknown, num: unknown): MessageInitShape<typeof MeasureRecallRequestSchema>['rankBy'] {
  const { kind } = parseRankBy(value, 'rank_by');
  if (kind?.case !== 'vector') throw wrongValue('rank_by', 'must be [attribute, "ANN", vector]');
  if (isGiven(num) && num !== 1) throw wrongValue('num', 'must be 1 with rank_by');
  return kind.value;
}

export function recallToJson(response: MeasureRecallResponse, withTruth: boolean): JsonObject {
  const writer = createValueWriter('float');
  return {
    avg_recall: response.avgRecall,
    avg_exhaustive_count: response.avgExhaustiveCount,
    avg_ann_count: response.avgAnnCount,
    ...(withTruth
      ? {
          ground_truth: response.groundTruth.map(({ queryVector, nearestNeighbors }) => ({
            query_vector: floatsOf(queryVector),
            nearest_neighbors: nearestNeighbors.map((row) => rowToJson(row, writer, true)),
          })),
        }
      : {}),
  };
}
