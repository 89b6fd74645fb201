import type { MessageInitShape } from '@bufbuild/protobuf';
import type { AttributeType } from '@lagoon/format';
import type { AppendRequestSchema } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { asBoolean, asObject, at, clip, type JsonObject, refuseUnknownFields, wrongValue } from '../json/shape.ts';
import { parseCondition, parseFilter } from '../query/parse-filter.ts';
import { isGiven } from '../schema/parse-schema.ts';
import { buildPatch, type PatchInit } from './build-patch.ts';
import { checkAttributeName } from './names.ts';

export type Conditions = Pick<
  MessageInitShape<typeof AppendRequestSchema>,
  'upsertCondition' | 'patchCondition' | 'deleteCondition' | 'deleteByFilter' | 'patchByFilter' | 'returnAffectedIds'
>;

/** The fields of a write whose meaning depends on the documents that are there. */
export function parseConditions(
  body: JsonObject,
  declared: ReadonlyMap<string, AttributeType>,
  blockBytesMax: number,
): Conditions {
  const deletesPart = readFlag(body, 'delete_by_filter_allow_partial');
  const patchesPart = readFlag(body, 'patch_by_filter_allow_partial');
  const condition = (name: string) => (isGiven(body[name]) ? parseCondition(body[name], name) : undefined);
  const upsertCondition = condition('upsert_condition');
  const patchCondition = condition('patch_condition');
  const deleteCondition = condition('delete_condition');
  return {
    ...(upsertCondition === undefined ? {} : { upsertCondition }),
    ...(patchCondition === undefined ? {} : { patchCondition }),
    ...(deleteCondition === undefined ? {} : { deleteCondition }),
    ...(isGiven(body.delete_by_filter)
      ? {
          deleteByFilter: {
            filter: parseFilter(body.delete_by_filter, 'delete_by_filter'),
            allowPartial: deletesPart,
          },
        }
      : {}),
    ...(isGiven(body.patch_by_filter)
      ? {
          patchByFilter: {
            ...parsePatchByFilter(body.patch_by_filter, declared, blockBytesMax),
            allowPartial: patchesPart,
          },
        }
      : {}),
    returnAffectedIds: readFlag(body, 'return_affected_ids'),
  };
}

/** Whether a write has anything to do but rows, deletes and patches by id. */
export function hasFilterWork({ deleteByFilter, patchByFilter }: Conditions): boolean {
  return deleteByFilter !== undefined || patchByFilter !== undefined;
}

function parsePatchByFilter(
  value: unknown,
  declared: ReadonlyMap<string, AttributeType>,
  blockBytesMax: number,
): { filter: ReturnType<typeof parseFilter>; patch: PatchInit } {
  const path = 'patch_by_filter';
  const object = asObject(value, path);
  refuseUnknownFields(object, path, new Set(['filters', 'patch']));
  const filter = parseFilter(object.filters, at(path, 'filters'));
  const where = at(path, 'patch');
  const given = asObject(object.patch, where);
  const attributes = new Map<string, readonly unknown[]>();
  for (const [name, one] of Object.entries(given)) {
    if (name === 'id') throw wrongValue(at(where, 'id'), 'the id of a document cannot be patched');
    checkAttributeName(name, at(where, clip(name)));
    attributes.set(name, [one]);
  }
  if (attributes.size === 0) throw wrongValue(where, 'the patch has no attributes');
  const documents = { rowCount: 1, attributes, pathOf: (name: string) => at(where, clip(name)) };
  const patch = buildPatch('u64', [0n], documents, declared, blockBytesMax);
  if (patch === undefined) throw wrongValue(where, 'the patch has no attributes');
  return { filter, patch };
}

function readFlag(body: JsonObject, name: string): boolean {
  return isGiven(body[name]) ? asBoolean(body[name], name) : false;
}
