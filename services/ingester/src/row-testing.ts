import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { createSeededRandom, noMetrics, sha256, silentLog, utf8Encode } from '@lagoon/base';
import { type ColumnInput, encodeBlock, idAt, openBlock, valueAt } from '@lagoon/format';
import { createNamespaceLog } from '@lagoon/namespace';
import { AppendRequestSchema } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { ComparisonOperator, type FilterSchema } from '@lagoon/proto/lagoon/v1/query_pb.js';
import type { TestIngester } from './testing.ts';

/** Helpers of this package's own tests: writes that depend on rows, of documents with the integers `n` and `m` and the text `s`. */
export interface TestDocument {
  readonly n?: number | null;
  readonly m?: number | null;
  readonly s?: string | null;
}

type FilterInit = MessageInitShape<typeof FilterSchema>;

export interface RowWrite {
  readonly namespace?: string;
  readonly upserts?: ReadonlyMap<number, TestDocument>;
  readonly patches?: ReadonlyMap<number, TestDocument>;
  readonly deletes?: readonly number[];
  readonly upsertCondition?: FilterInit;
  readonly patchCondition?: FilterInit;
  readonly deleteCondition?: FilterInit;
  readonly deleteByFilter?: FilterInit;
  readonly patchByFilter?: { readonly filter: FilterInit; readonly patch: TestDocument };
  readonly allowPartial?: boolean;
  readonly returnAffectedIds?: boolean;
  readonly key?: string;
}

export interface RowAnswer {
  readonly generation: number;
  readonly upserted: number;
  readonly patched: number;
  readonly deleted: number;
  readonly remaining: boolean;
  readonly ids: { readonly upserted: number[]; readonly patched: number[]; readonly deleted: number[] };
}

const operators = {
  eq: ComparisonOperator.EQ,
  notEq: ComparisonOperator.NOT_EQ,
  in: ComparisonOperator.IN,
  notIn: ComparisonOperator.NOT_IN,
  lt: ComparisonOperator.LT,
  lte: ComparisonOperator.LTE,
  gt: ComparisonOperator.GT,
  gte: ComparisonOperator.GTE,
} as const;

export type TestValue = number | string | null | { readonly new: string };

/** A comparison; lists take a list. */
export function compare(
  attribute: string,
  operator: keyof typeof operators,
  value: TestValue | TestValue[],
): FilterInit {
  const values = (Array.isArray(value) ? value : [value]).map((one) => {
    if (one === null) return {};
    if (typeof one === 'number') return { kind: { case: 'intValue' as const, value: BigInt(one) } };
    if (typeof one === 'string') return { kind: { case: 'stringValue' as const, value: one } };
    return { kind: { case: 'newValueOf' as const, value: one.new } };
  });
  return { kind: { case: 'comparison', value: { attribute, operator: operators[operator], values } } };
}

export function not(filter: FilterInit): FilterInit {
  return { kind: { case: 'not', value: filter } };
}

export function both(kind: 'and' | 'or', filters: FilterInit[]): FilterInit {
  return { kind: { case: kind, value: { filters } } };
}

export async function writeRows(ingester: TestIngester, write: RowWrite): Promise<RowAnswer> {
  const answer = await ingester.role.service.append(rowRequest(write), { signal: new AbortController().signal });
  const idsOf = (bytes: Uint8Array | undefined): number[] => {
    if (bytes === undefined || bytes.length === 0) return [];
    const { ids } = openBlock(bytes);
    return Array.from({ length: ids.count }, (_, row) => Number(idAt(ids, row)));
  };
  const affected = answer.affectedIds;
  return {
    generation: Number(answer.manifestGeneration),
    upserted: Number(answer.rowsUpserted),
    patched: Number(answer.rowsPatched),
    deleted: Number(answer.rowsDeleted),
    remaining: answer.rowsRemaining ?? false,
    ids: {
      upserted: idsOf(affected?.upserted),
      patched: idsOf(affected?.patched),
      deleted: idsOf(affected?.deleted),
    },
  };
}

function rowRequest(write: RowWrite) {
  const { upserts = new Map(), deletes = [], patches = new Map() } = write;
  const allowPartial = write.allowPartial ?? false;
  const hasBlock = upserts.size > 0 || deletes.length > 0;
  return create(AppendRequestSchema, {
    namespace: write.namespace ?? 'words',
    block: hasBlock
      ? encodeBlock({
          idKind: 'u64',
          ids: [...upserts.keys()].map(BigInt),
          deletes: deletes.map(BigInt),
          columns: columnsOf([...upserts.values()]),
        })
      : new Uint8Array(0),
    schema: {
      idType: 'u64',
      ...(upserts.size > 0
        ? {
            attributes: [
              { name: 'n', type: 'int' },
              { name: 'm', type: 'int' },
              { name: 's', type: 'string' },
            ],
          }
        : {}),
    },
    ...(patches.size > 0 ? { patch: patchOf([...patches.keys()], [...patches.values()]) } : {}),
    ...(write.upsertCondition === undefined ? {} : { upsertCondition: write.upsertCondition }),
    ...(write.patchCondition === undefined ? {} : { patchCondition: write.patchCondition }),
    ...(write.deleteCondition === undefined ? {} : { deleteCondition: write.deleteCondition }),
    ...(write.deleteByFilter === undefined ? {} : { deleteByFilter: { filter: write.deleteByFilter, allowPartial } }),
    ...(write.patchByFilter === undefined
      ? {}
      : {
          patchByFilter: {
            filter: write.patchByFilter.filter,
            patch: patchOf([0], [write.patchByFilter.patch]),
            allowPartial,
          },
        }),
    returnAffectedIds: write.returnAffectedIds ?? false,
    idempotencyKey: write.key ?? '',
    bodyHash: write.key === undefined ? new Uint8Array(0) : sha256(utf8Encode(write.key)),
  });
}

function columnsOf(documents: readonly TestDocument[]): ColumnInput[] {
  const integers = (name: 'n' | 'm'): ColumnInput => ({
    name,
    type: { kind: 'scalar', scalar: 'int' },
    values: documents.map((document) => (document[name] == null ? null : BigInt(document[name]))),
  });
  const texts = documents.map(({ s }) => s ?? null);
  return [integers('n'), integers('m'), { name: 's', type: { kind: 'scalar', scalar: 'string' }, values: texts }];
}

function patchOf(ids: readonly number[], documents: readonly TestDocument[]) {
  const cleared = (['n', 'm', 's'] as const).map(
    (name): ColumnInput => ({
      name,
      type: { kind: 'scalar', scalar: 'bool' },
      values: documents.map((document) => document[name] === null),
    }),
  );
  const base = { idKind: 'u64', ids: ids.map(BigInt), deletes: [] } as const;
  return {
    values: encodeBlock({ ...base, columns: columnsOf(documents) }),
    cleared: encodeBlock({ ...base, columns: cleared }),
  };
}

/** What a reader who only ever saw the log holds. */
export async function readDocuments(ingester: TestIngester, name = 'words'): Promise<Map<number, TestDocument>> {
  const { store, clock } = ingester;
  const base = { store, clock, random: createSeededRandom(99), log: silentLog, metrics: noMetrics };
  const { events } = await createNamespaceLog(base).open(name);
  const documents = new Map<number, TestDocument>();
  for (const event of events) {
    if (event.kind !== 'batch') continue;
    for (const part of event.parts) {
      const block = openBlock(part);
      for (let row = 0; row < block.deletes.count; row++) documents.delete(Number(idAt(block.deletes, row)));
      for (let row = 0; row < block.rowCount; row++) {
        const document: Record<string, unknown> = {};
        for (const { name: attribute, column } of block.columns.values()) {
          const value = valueAt(column, row);
          if (value !== null) document[attribute] = typeof value === 'bigint' ? Number(value) : value;
        }
        documents.set(Number(idAt(block.ids, row)), document);
      }
    }
  }
  return new Map([...documents].sort(([a], [b]) => a - b));
}
