import type { MessageInitShape } from '@bufbuild/protobuf';
import { invalidArgument, unimplemented } from '@lagoon/base';
import type { BranchRequestSchema } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import { checkNamespaceName } from '../http/routes.ts';
import { asInteger, asObject, asString, type JsonObject, refuseUnknownFields } from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';

export type BranchMessage = MessageInitShape<typeof BranchRequestSchema>;

type BranchField = 'branch_from_namespace' | 'copy_from_namespace';

const branchFields: ReadonlySet<string> = new Set(['source_namespace', 'generation']);
const copyFields: ReadonlySet<string> = new Set(['source_namespace', 'source_api_key', 'source_region']);
/** True and false say nothing here that the request does not say anyway. */
const neutralFields: ReadonlySet<string> = new Set(['create_namespace', 'disable_backpressure']);

export interface BranchWrite {
  readonly field: BranchField;
  readonly message: BranchMessage;
}

/**
 * A write that makes its namespace out of another one; undefined for every other write. A copy is made as a branch is: it shares what
 * never changes, and is independent in everything that can be observed.
 */
export function parseBranchWrite(value: unknown, namespace: string): BranchWrite | undefined {
  const body = asObject(value, 'body');
  const field = branchFieldOf(body);
  if (field === undefined) return undefined;
  for (const [name, other] of Object.entries(body)) {
    if (name === field || neutralFields.has(name) || !isGiven(other)) continue;
    throw invalidArgument(`${field}: goes with no other field of a write`, { found: name.slice(0, 128) });
  }
  if (body.create_namespace === false)
    throw invalidArgument(`${field}: makes a namespace, and create_namespace is false`);
  return { field, message: { namespace, ...parseSource(body[field], field) } };
}

function branchFieldOf(body: JsonObject): BranchField | undefined {
  if (isGiven(body.branch_from_namespace)) return 'branch_from_namespace';
  return isGiven(body.copy_from_namespace) ? 'copy_from_namespace' : undefined;
}

function parseSource(value: unknown, field: BranchField): BranchMessage {
  if (typeof value === 'string') return { source: checkNamespaceName(value) };
  const object = asObject(value, field);
  refuseUnknownFields(object, field, field === 'copy_from_namespace' ? copyFields : branchFields);
  for (const name of ['source_api_key', 'source_region']) {
    if (isGiven(object[name])) throw unimplemented(`${field}.${name}`);
  }
  const source = checkNamespaceName(asString(object.source_namespace, `${field}.source_namespace`));
  return { source, ...parseGeneration(object.generation, `${field}.generation`) };
}

export function parseGeneration(value: unknown, path: string): { readonly generation?: bigint } {
  if (!isGiven(value)) return {};
  return { generation: BigInt(asInteger(value, path, 1, Number.MAX_SAFE_INTEGER)) };
}
