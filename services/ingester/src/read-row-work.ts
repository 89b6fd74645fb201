import { invalidArgument } from '@lagoon/base';
import type { Block } from '@lagoon/format';
import type { AppendRequest, Patch as PatchMessage } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { readCondition, readFilter } from '@lagoon/query-message';
import { checkPatch, type Patch } from './patch.ts';
import { checkDistinct } from './resolve-row-write.ts';
import { type FilterWork, filterPaths, type RowWork } from './row-work.ts';

type ReadBlock = (bytes: Uint8Array) => Block | undefined;

/** What of a request depends on rows; undefined where nothing does. `invalid_argument` for what is not well-formed. */
export function readRowWork(
  request: AppendRequest,
  block: Block | undefined,
  readBlock: ReadBlock,
): RowWork | undefined {
  const { upsertCondition, patchCondition, deleteCondition, deleteByFilter, patchByFilter } = request;
  const patch = readPatch(request.patch, readBlock);
  const work: Omit<RowWork, 'readsRows'> = {
    patch,
    upsertCondition: upsertCondition && readCondition(upsertCondition, 'upsert_condition'),
    patchCondition: patchCondition && readCondition(patchCondition, 'patch_condition'),
    deleteCondition: deleteCondition && readCondition(deleteCondition, 'delete_condition'),
    deleteByFilter: deleteByFilter && readFilterWork(deleteByFilter, filterPaths.deleteByFilter),
    patchByFilter: patchByFilter && {
      ...readFilterWork(patchByFilter, filterPaths.patchByFilter),
      patch: readFilterPatch(patchByFilter.patch, readBlock),
    },
    returnsAffectedIds: request.returnAffectedIds,
  };
  if (patch !== undefined && block !== undefined) checkDistinct(patch.values, block);
  const deletes = (block?.deletes.count ?? 0) > 0 && (work.returnsAffectedIds || deleteCondition !== undefined);
  const upserts = (block?.rowCount ?? 0) > 0 && upsertCondition !== undefined;
  const hasFilter = deleteByFilter !== undefined || patchByFilter !== undefined;
  const readsRows = patch !== undefined || deletes || upserts || hasFilter;
  const hasCondition = [upsertCondition, patchCondition, deleteCondition].some((one) => one !== undefined);
  if (!readsRows && !hasCondition && !(work.returnsAffectedIds && block !== undefined)) return undefined;
  return { ...work, readsRows };
}

export function patchBytes(request: AppendRequest): number {
  const bytesOf = (patch: PatchMessage | undefined): number =>
    patch === undefined ? 0 : patch.values.byteLength + patch.cleared.byteLength;
  return bytesOf(request.patch) + bytesOf(request.patchByFilter?.patch);
}

function readFilterWork(
  { filter, allowPartial }: NonNullable<AppendRequest['deleteByFilter' | 'patchByFilter']>,
  path: string,
): FilterWork {
  if (filter === undefined) throw invalidArgument('a write by filter has a filter', { field: path });
  return { filter: readFilter(filter, path), allowPartial };
}

function readFilterPatch(message: PatchMessage | undefined, readBlock: ReadBlock): Patch {
  const patch = readPatch(message, readBlock);
  if (patch?.values.rowCount !== 1) throw invalidArgument('a patch by filter is one row');
  return patch;
}

function readPatch(message: PatchMessage | undefined, readBlock: ReadBlock): Patch | undefined {
  const values = message === undefined ? undefined : readBlock(message.values);
  if (message === undefined || values === undefined || values.rowCount === 0) return undefined;
  const patch = { values, cleared: readBlock(message.cleared) };
  checkPatch(patch);
  return patch;
}
