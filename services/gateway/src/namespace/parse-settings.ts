import { create } from '@bufbuild/protobuf';
import { type UpdateSettingsRequest, UpdateSettingsRequestSchema } from '@lagoon/proto/lagoon/v1/namespace_pb.js';
import {
  asBoolean,
  asFiniteNumber,
  asInteger,
  asObject,
  at,
  isObject,
  refuseUnknownFields,
  wrongShape,
  wrongValue,
} from '../json/shape.ts';

const fields = new Set(['pinning', 'read_only', 'recall']);
const pinningFields = new Set(['replicas']);
const replicaCountMax = 256;

/** Reads the body of a change of metadata: what is not there stays as it is, `null` is what a new namespace has. */
export function parseSettings(value: unknown, namespace: string): UpdateSettingsRequest {
  const body = asObject(value, 'body');
  refuseUnknownFields(body, '', fields);
  const update = create(UpdateSettingsRequestSchema, { namespace });
  if (body.read_only !== undefined) update.readOnly = body.read_only !== null && asBoolean(body.read_only, 'read_only');
  if (body.pinning !== undefined) update.pinnedReplicaCount = parsePinning(body.pinning);
  if (body.recall !== undefined) update.recall = parseRecallTarget(body.recall);
  return update;
}

function parsePinning(value: unknown): number {
  if (value === null || typeof value === 'boolean') return value === true ? 1 : 0;
  if (!isObject(value)) throw wrongShape('pinning', 'a boolean, null or an object', value);
  refuseUnknownFields(value, 'pinning', pinningFields);
  const { replicas } = value;
  if (replicas === undefined || replicas === null) return 1;
  return asInteger(replicas, at('pinning', 'replicas'), 1, replicaCountMax);
}

/** 0: the default. */
function parseRecallTarget(value: unknown): number {
  if (value === null) return 0;
  const recall = asFiniteNumber(value, 'recall');
  if (recall > 0 && recall <= 1) return recall;
  throw wrongValue('recall', 'must be above 0 and at most 1', { found: recall });
}
