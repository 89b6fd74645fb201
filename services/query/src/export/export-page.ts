import type { MessageInitShape } from '@bufbuild/protobuf';
import { invalidArgument } from '@lagoon/base';
import type { Lineage } from '@lagoon/namespace';
import type { ExportRequest, ExportResponseSchema } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import type { Filter, QueryEngine, QueryResult, QuerySpec } from '@lagoon/query';
import { readValue } from '@lagoon/query-message';
import { resultRow } from '../write-result.ts';
import { checkLease, leasedName } from './lease-log.ts';

export interface ExportDeps {
  /** On a log `withLeases`. */
  readonly engine: QueryEngine;
  readonly lineage: Lineage;
}

const pageSizeDefault = 1_000;
const pageSizeMax = 10_000;
/** What a page weighs about, whatever the rows weigh; and the rows by which that is found out. */
const pageBytesMax = 8 << 20;
const probeRowCount = 16;

/**
 * One page of a namespace in the order of its ids. The first one leases the newest generation; from then on pages are of that
 * instant, on any query node, whatever is written or indexed meanwhile. `gone` where the lease is over.
 */
export async function exportPage(
  deps: ExportDeps,
  request: ExportRequest,
  signal: AbortSignal,
): Promise<MessageInitShape<typeof ExportResponseSchema>> {
  const { namespace, pageSize } = request;
  if (pageSize > pageSizeMax) throw invalidArgument('the page is too large', { pageSize, pageSizeMax });
  const lease = await takeLease(deps.lineage, namespace, request.lease, signal);
  const rowCountMax = pageSize === 0 ? pageSizeDefault : pageSize;
  const read = (limit: number, after: Filter | undefined) =>
    deps.engine.query(leasedName(namespace, lease), inIdOrder(limit, after), anyAge, signal);
  const result = await readBounded(read, afterFilter(request), rowCountMax);
  if (result.isLast) await deps.lineage.endLease(namespace, lease);
  return {
    rows: result.rows.map((row) => resultRow(result.idKind, row)),
    lease,
    isLast: result.isLast,
    manifestGeneration: BigInt(result.generation),
  };
}

/** A lease that was given is read again: it may be over. */
async function takeLease(lineage: Lineage, namespace: string, given: string, signal: AbortSignal): Promise<string> {
  if (given === '') return (await lineage.lease(namespace, signal)).random;
  checkLease(given);
  await lineage.readLease(namespace, given, signal);
  return given;
}

/** What stands still is never too old. */
const anyAge = { level: 'eventual', stalenessMsMax: Number.MAX_SAFE_INTEGER, generationMin: 0 } as const;

function inIdOrder(limit: number, filter: Filter | undefined): QuerySpec {
  return {
    rankBy: { kind: 'order', keys: [{ attribute: 'id', descending: false }] },
    limit,
    projection: { kind: 'all' },
    ...(filter === undefined ? {} : { filter }),
  };
}

function afterFilter({ after }: ExportRequest): Filter | undefined {
  if (after === undefined) return undefined;
  return { kind: 'comparison', attribute: 'id', operator: 'gt', values: [readValue(after)] };
}

/** A few rows first: they say how many make a page. */
async function readBounded(
  read: (limit: number, after: Filter | undefined) => Promise<QueryResult>,
  after: Filter | undefined,
  rowCountMax: number,
): Promise<Omit<QueryResult, 'statistics'> & { readonly isLast: boolean }> {
  const first = Math.min(probeRowCount, rowCountMax);
  const probe = await read(first, after);
  const last = probe.rows.at(-1);
  if (probe.rows.length < first || last === undefined) return { ...probe, isLast: true };
  const fitting = Math.floor((pageBytesMax * first) / weigh(probe));
  const more = Math.min(rowCountMax, fitting) - first;
  if (more <= 0) return { ...probe, isLast: false };
  const rest = await read(more, { kind: 'comparison', attribute: 'id', operator: 'gt', values: [last.id] });
  return { ...rest, rows: [...probe.rows, ...rest.rows], isLast: rest.rows.length < more };
}

/** Bytes of the values, roughly. */
function weigh(result: QueryResult): number {
  let bytes = 1;
  for (const { attributes } of result.rows) for (const { value } of attributes) bytes += weighValue(value);
  return bytes;
}

function weighValue(value: unknown): number {
  if (typeof value === 'string') return 8 + value.length;
  if (ArrayBuffer.isView(value)) return 8 + value.byteLength;
  if (Array.isArray(value)) return value.reduce<number>((sum, element) => sum + weighValue(element), 8);
  return 8;
}
