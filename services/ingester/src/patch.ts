import { invalidArgument } from '@lagoon/base';
import {
  type AttributeValue,
  type Block,
  coerceBlock,
  compareIds,
  type DistanceMetric,
  mergeSchema,
  openBlock,
  type Schema,
  type SchemaDeclaration,
  valueAt,
} from '@lagoon/format';

/** What to lay over documents: a missing value leaves an attribute as it is, unless it is cleared. */
export interface Patch {
  readonly values: Block;
  /** Of the same ids; bool columns, true removes the value. */
  readonly cleared: Block | undefined;
}

export function checkPatch({ values, cleared }: Patch): void {
  if (values.deletes.count > 0) throw invalidArgument('a patch deletes nothing');
  if (cleared === undefined) return;
  let same = cleared.idKind === values.idKind && cleared.rowCount === values.rowCount;
  for (let row = 0; same && row < values.rowCount; row++) same = compareIds(values.ids, row, cleared.ids, row) === 0;
  const isBool = [...cleared.columns.values()].every(({ type }) => type.kind === 'scalar' && type.scalar === 'bool');
  if (!same || !isBool) throw invalidArgument('what a patch clears is not of the ids that it patches');
}

const nothingDeclared: SchemaDeclaration = { attributes: [] };

/** The schema with the attributes that the patch brings in; the very object where it brings none. */
export function mergePatchSchema(schema: Schema, patch: Patch, metric: DistanceMetric | undefined): Schema {
  return mergeSchema(schema, nothingDeclared, patch.values, metric);
}

/** The same for a patch whose ids say nothing. */
export function mergeAnonymousSchema(schema: Schema, patch: Patch, metric: DistanceMetric | undefined): Schema {
  const alike = { ...schema, idKind: patch.values.idKind };
  const merged = mergeSchema(alike, nothingDeclared, patch.values, metric);
  return merged === alike ? schema : { ...merged, idKind: schema.idKind };
}

/** Of the schema's types. */
export function coercePatch(patch: Patch, schema: Schema): Patch {
  return {
    values: coerced(patch.values, schema),
    cleared: patch.cleared === undefined ? undefined : coerced(patch.cleared, boolSchema(patch.cleared, schema)),
  };
}

export function coerceAnonymous(patch: Patch, schema: Schema): Patch {
  return coercePatch(patch, { ...schema, idKind: patch.values.idKind });
}

/** What the patch makes of an attribute of a document whose present value is given. */
export function patchedValue(
  patch: Patch,
  patchRow: number,
  attribute: string,
  present: () => AttributeValue,
): AttributeValue {
  const value = patch.values.columns.get(attribute)?.column;
  const given = value === undefined ? null : valueAt(value, patchRow);
  if (given !== null) return given;
  const cleared = patch.cleared?.columns.get(attribute)?.column;
  return cleared !== undefined && valueAt(cleared, patchRow) === true ? null : present();
}

function coerced(block: Block, schema: Schema): Block {
  const result = coerceBlock(block, schema);
  return result instanceof Uint8Array ? openBlock(result, { verify: false }) : result;
}

function boolSchema(cleared: Block, schema: Schema): Schema {
  const bool = { type: { kind: 'scalar', scalar: 'bool' }, filterable: false } as const;
  return { idKind: schema.idKind, attributes: new Map([...cleared.columns.keys()].map((name) => [name, bool])) };
}
