import type { MessageInitShape } from '@bufbuild/protobuf';
import { invalidArgument } from '@lagoon/base';
import type { CreateSnapshotRequestSchema } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import { checkNamespaceName } from '../http/routes.ts';
import { asObject, asString, refuseUnknownFields } from '../json/shape.ts';
import { isGiven } from '../schema/parse-schema.ts';
import { type BranchMessage, parseGeneration } from './parse-branch.ts';

const snapshotFields: ReadonlySet<string> = new Set(['name', 'generation']);
const restoreFields: ReadonlySet<string> = new Set(['snapshot', 'generation', 'into']);

/** Body of `POST …/snapshots`. */
export function parseSnapshot(value: unknown, namespace: string): MessageInitShape<typeof CreateSnapshotRequestSchema> {
  const body = asObject(value, 'body');
  refuseUnknownFields(body, '', snapshotFields);
  const name = checkSnapshotName(asString(body.name, 'name'));
  return { namespace, name, ...parseGeneration(body.generation, 'generation') };
}

/** Body of `POST …/restore`: what is restored, and the name that it gets. */
export function parseRestore(value: unknown, source: string): BranchMessage & { readonly namespace: string } {
  const body = asObject(value, 'body');
  refuseUnknownFields(body, '', restoreFields);
  if (isGiven(body.snapshot) === isGiven(body.generation)) {
    throw invalidArgument('a restore names either a snapshot or a generation');
  }
  const namespace = isGiven(body.into) ? checkNamespaceName(asString(body.into, 'into')) : source;
  if (!isGiven(body.snapshot)) return { namespace, source, ...parseGeneration(body.generation, 'generation') };
  return { namespace, source, snapshot: checkSnapshotName(asString(body.snapshot, 'snapshot')) };
}

const snapshotPattern = /^[A-Za-z0-9\-_.]{1,128}$/;

export function checkSnapshotName(name: string): string {
  if (snapshotPattern.test(name)) return name;
  throw invalidArgument('a snapshot name has 1 to 128 characters of A-Z a-z 0-9 - _ .', { found: name.slice(0, 160) });
}
