import { type Clock, equalBytes, invalidArgument, LagoonError } from '@lagoon/base';
import type { Heir, Instant, Lineage, NamespaceLog, NamespaceView } from '@lagoon/namespace';
import type { BranchRequest } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import type { IdempotencyTable } from './idempotency-table.ts';
import { readIdempotency } from './write-request.ts';

/** A namespace that is to begin as another's instant. */
export interface BirthOrder {
  readonly source: string;
  readonly from:
    | { readonly kind: 'newest' }
    | { readonly kind: 'generation'; readonly generation: number }
    | { readonly kind: 'snapshot'; readonly name: string };
  readonly idempotency: { readonly key: string; readonly bodyHash: Uint8Array } | undefined;
}

export interface BirthAnswer {
  readonly generation: number;
  readonly sourceGeneration: number;
  /** What was born now; undefined where an earlier request with the same key did it. */
  readonly origin: Instant | undefined;
}

export interface BirthDeps {
  readonly clock: Clock;
  readonly namespaceLog: NamespaceLog;
  readonly lineage: Lineage;
}

/** Throws `invalid_argument`. */
export function readBirthOrder(request: BranchRequest): BirthOrder {
  const idempotency = readIdempotency(request);
  if (request.snapshot !== '' && request.generation !== undefined) {
    throw invalidArgument('a snapshot and a generation exclude each other');
  }
  if (request.snapshot !== '') {
    return { source: request.source, from: { kind: 'snapshot', name: request.snapshot }, idempotency };
  }
  if (request.generation === undefined) return { source: request.source, from: { kind: 'newest' }, idempotency };
  return {
    source: request.source,
    from: { kind: 'generation', generation: readGeneration(request.generation) },
    idempotency,
  };
}

export function readGeneration(generation: bigint): number {
  if (generation < 1n || generation > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw invalidArgument('not a generation', { generation });
  }
  return Number(generation);
}

/** One step of the child's writer. Rejects `conflict` where something lives under the name already. */
export async function commitBirth(
  deps: BirthDeps,
  name: string,
  order: BirthOrder,
  view: NamespaceView | undefined,
  table: IdempotencyTable,
  signal: AbortSignal,
): Promise<{ readonly result: BirthAnswer; readonly view: NamespaceView | undefined }> {
  // That something lives is an answer that commits nothing, so it needs a look from now.
  const fresh = view?.live === undefined ? view : (await deps.namespaceLog.advance(view, {}, signal)).view;
  const child: Heir = { name, view: fresh, idempotency: recordsOf(order, deps.clock) };
  const outcome = await bear(deps.lineage, child, order, signal);
  if (outcome.outcome === 'born') {
    const { generation, origin } = outcome;
    return { result: { generation, sourceGeneration: origin.generation, origin }, view: undefined };
  }
  const kept = await keptBirth(deps, outcome.view, order, table, signal);
  if (kept !== undefined) return { result: kept, view: outcome.view };
  throw new LagoonError('conflict', 'the namespace exists already', { context: { namespace: name } });
}

function bear(lineage: Lineage, child: Heir, { source, from }: BirthOrder, signal: AbortSignal) {
  if (from.kind === 'snapshot') return lineage.restore(child, source, from.name, signal);
  return lineage.branch(child, source, from.kind === 'newest' ? undefined : from.generation, signal);
}

function recordsOf({ idempotency }: BirthOrder, clock: Clock): Heir['idempotency'] {
  if (idempotency === undefined) return [];
  const counts = { rowsUpserted: 0, rowsDeleted: 0, rowsPatched: 0, rowsRemaining: false, logicalBytesWritten: 0 };
  return [{ ...idempotency, ...counts, writtenAtMs: clock.wallMs() }];
}

/** What the same key did before, where what lives is what it made. */
async function keptBirth(
  deps: BirthDeps,
  view: NamespaceView,
  { idempotency }: BirthOrder,
  table: IdempotencyTable,
  signal: AbortSignal,
): Promise<BirthAnswer | undefined> {
  if (idempotency === undefined || view.live === undefined) return undefined;
  table.absorb(view);
  if (!table.covers(view)) table.absorbParts(view, await deps.namespaceLog.readIdempotencyParts(view, signal));
  const record = table.find(idempotency.key);
  if (record === undefined) return undefined;
  if (!equalBytes(record.bodyHash, idempotency.bodyHash)) {
    throw new LagoonError('conflict', 'the idempotency key was used with another body', {
      reason: 'idempotency_mismatch',
      context: { key: idempotency.key },
    });
  }
  const sourceGeneration = view.live.manifest.origin?.generation ?? 0;
  return { generation: record.generation, sourceGeneration, origin: undefined };
}
