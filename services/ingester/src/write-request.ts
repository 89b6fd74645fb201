import { invalidArgument, isLagoonError, LagoonError } from '@lagoon/base';
import {
  type Block,
  coerceBlock,
  type DistanceMetric,
  mergeSchema,
  openBlock,
  type Schema,
  type SchemaDeclaration,
} from '@lagoon/format';
import type { AppendManifestRequest, AppendRequest } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import type { UpdateSchemaRequest, UpdateSettingsRequest } from '@lagoon/proto/lagoon/v1/namespace_pb.js';
import { readSettingsChange, type SettingsChange } from './change-settings.ts';
import { patchBytes, readRowWork } from './read-row-work.ts';
import { type RowResolution, resolveRowWork, typeRowWork } from './resolve-row-write.ts';
import { createRowState, type RowState } from './row-state.ts';
import type { RowWork, RowWorkLimits } from './row-work.ts';
import { readDistanceMetric, readSchemaDeclaration } from './schema-message.ts';

/** One caller's write, its bytes verified; what it means depends on the view that it is resolved against. */
export interface WriteRequest {
  /** Undefined: no rows and no deletes. */
  readonly block: Block | undefined;
  /** Undefined: what it does does not depend on the rows that are there. */
  readonly rowWork: RowWork | undefined;
  readonly declared: SchemaDeclaration;
  /** Of a change of the settings, which does nothing else; undefined: it is refused where the namespace is read-only. */
  readonly settings: SettingsChange | undefined;
  readonly distanceMetric: DistanceMetric | undefined;
  readonly idempotency: { readonly key: string; readonly bodyHash: Uint8Array } | undefined;
  readonly createNamespace: boolean | undefined;
  readonly disableBackpressure: boolean;
  /** Whether it may bring an absent namespace into being. */
  readonly mayCreate: boolean;
  readonly sizeBytes: number;
}

/** What a write comes to on one view. */
export interface ResolvedWrite {
  /** In the order in which they apply, of the schema's types; whole rows, so readers need no past to apply them. */
  readonly parts: readonly Block[];
  /** After the write; the very object that went in where nothing changes. */
  readonly schema: Schema;
  readonly counts: WriteCounts;
  readonly affected: AffectedBlocks | undefined;
}

export interface WriteCounts {
  readonly rowsUpserted: number;
  readonly rowsPatched: number;
  /** Of a write that needs no rows to be resolved: the ids that it names, whether they exist or not. */
  readonly rowsDeleted: number;
  /** Whether a filter matched more rows than one write may change. */
  readonly rowsRemaining: boolean;
  readonly logicalBytesWritten: number;
}

/** Columnar blocks of ids; empty: none. */
export interface AffectedBlocks {
  readonly upserted: Uint8Array;
  readonly patched: Uint8Array;
  readonly deleted: Uint8Array;
}

export interface ResolvedBlock {
  /** Of the schema's types. */
  readonly block: Block | undefined;
  /** After the write; the very object that went in where nothing changes. */
  readonly schema: Schema;
}

/**
 * Says what requests come to; the last result of each is kept for the next try, so that repeats only what others changed.
 * `rows` is asked for where the request depends on them, and then holds what the write does to them.
 */
export type WriteResolver = (write: WriteRequest, schema: Schema | undefined, rows: () => RowState) => ResolvedWrite;

const idempotencyKeyBytesMax = 256;
const bodyHashBytes = 32;
const manifestMessageBytesMax = 64 << 10;
/** What a write weighs besides its block, so that empty ones count too. */
const requestOverheadBytes = 256;

/** Throws `invalid_argument` for anything that is not well-formed, whatever the namespace holds. */
export function readWriteRequest(request: AppendRequest, blockBytesMax: number): WriteRequest {
  const opened = readBlock(request.block, blockBytesMax);
  const hasRows = opened !== undefined && opened.rowCount > 0;
  const block = opened !== undefined && (hasRows || opened.deletes.count > 0) ? opened : undefined;
  return {
    block,
    rowWork: readRowWork(request, block, (bytes) => readBlock(bytes, blockBytesMax)),
    declared: readSchemaDeclaration(request.schema),
    settings: undefined,
    distanceMetric: readDistanceMetric(request.distanceMetric),
    idempotency: readIdempotency(request),
    createNamespace: request.createNamespace,
    disableBackpressure: request.disableBackpressure,
    mayCreate: request.createNamespace === true || (hasRows && request.createNamespace !== false),
    sizeBytes: request.block.byteLength + patchBytes(request) + requestOverheadBytes,
  };
}

/** A change of the schema is a write without rows that never makes a namespace. */
export function readSchemaUpdate(request: UpdateSchemaRequest): WriteRequest {
  return { ...withoutRows, declared: readSchemaDeclaration(request.schema) };
}

/** As a change of the schema. */
export function readSettingsUpdate(request: UpdateSettingsRequest): WriteRequest {
  return { ...withoutRows, settings: readSettingsChange(request) };
}

const withoutRows: WriteRequest = {
  block: undefined,
  rowWork: undefined,
  declared: { attributes: [] },
  settings: undefined,
  distanceMetric: undefined,
  idempotency: undefined,
  createNamespace: false,
  disableBackpressure: true,
  mayCreate: false,
  sizeBytes: requestOverheadBytes,
};

export function readHandedManifest(request: AppendManifestRequest) {
  const size = request.manifestEntry.byteLength;
  if (request.commitId === '' || request.commitId.length > 64 || size === 0 || size > manifestMessageBytesMax) {
    throw invalidArgument('not a manifest entry', { commitId: request.commitId.slice(0, 64), size });
  }
  return { commitId: request.commitId, message: request.manifestEntry };
}

export function createWriteResolver(limits: RowWorkLimits): WriteResolver {
  const blocks = new WeakMap<WriteRequest, { readonly from: Schema | undefined; readonly resolved: ResolvedBlock }>();
  const works = new WeakMap<WriteRequest, { readonly merged: ResolvedBlock; readonly resolution: RowResolution }>();

  const resolveBlock = (write: WriteRequest, schema: Schema | undefined): ResolvedBlock => {
    const known = blocks.get(write);
    if (known !== undefined && known.from === schema && schema !== undefined) return known.resolved;
    const resolved = mergeBlock(write, schema);
    blocks.set(write, { from: schema, resolved });
    return resolved;
  };

  return (write, schema, rows) => {
    const merged = resolveBlock(write, schema);
    const work = write.rowWork;
    if (work === undefined) return plainWrite(merged);
    const known = works.get(write);
    const typed = known?.merged === merged ? known.resolution.typed : typeRowWork(write, work, merged);
    const state = work.readsRows ? rows() : createRowState(undefined, []);
    const resolution = resolveRowWork(work, typed, schema, state, limits, known?.resolution);
    works.set(write, { merged, resolution });
    return resolution.resolved;
  };
}

function plainWrite({ block, schema }: ResolvedBlock): ResolvedWrite {
  const counts = {
    rowsUpserted: block?.rowCount ?? 0,
    rowsPatched: 0,
    rowsDeleted: block?.deletes.count ?? 0,
    rowsRemaining: false,
    logicalBytesWritten: block?.logicalBytes ?? 0,
  };
  return { parts: block === undefined ? [] : [block], schema, counts, affected: undefined };
}

function mergeBlock(write: WriteRequest, schema: Schema | undefined): ResolvedBlock {
  const merged = mergeSchema(schema, write.declared, write.block, write.distanceMetric);
  if (write.block === undefined) return { block: undefined, schema: merged };
  const coerced = coerceBlock(write.block, merged);
  return { schema: merged, block: coerced instanceof Uint8Array ? openBlock(coerced, { verify: false }) : coerced };
}

/** A request's bytes that do not check out are the caller's mistake, not a stored fault. */
function readBlock(bytes: Uint8Array, bytesMax: number): Block | undefined {
  if (bytes.byteLength === 0) return undefined;
  if (bytes.byteLength > bytesMax) {
    throw new LagoonError('invalid_argument', 'the block is too large', {
      reason: 'too_large',
      context: { bytes: bytes.byteLength, bytesMax },
    });
  }
  try {
    return openBlock(bytes);
  } catch (error) {
    if (!isLagoonError(error, 'corrupt')) throw error;
    throw new LagoonError('invalid_argument', 'the block is damaged', { cause: error, context: error.context });
  }
}

export function readIdempotency(
  request: Pick<AppendRequest, 'idempotencyKey' | 'bodyHash'>,
): WriteRequest['idempotency'] {
  const { idempotencyKey: key, bodyHash } = request;
  if (key === '') return undefined;
  if (Buffer.byteLength(key) > idempotencyKeyBytesMax) {
    throw invalidArgument('the idempotency key is too long', { bytesMax: idempotencyKeyBytesMax });
  }
  if (bodyHash.byteLength !== bodyHashBytes) {
    throw invalidArgument('the body hash of a keyed write has 32 bytes', { bytes: bodyHash.byteLength });
  }
  return { key, bodyHash };
}
