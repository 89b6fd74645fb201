import { type Clock, isLagoonError, LagoonError } from '@lagoon/base';
import type { DocumentSource, ImportBatch } from './document-source.ts';
import type { ImportState } from './import-state.ts';
import type { WriteClient } from './write-client.ts';

export interface ImportOptions {
  readonly url: string;
  readonly namespace: string;
  readonly rowsPerBatch: number;
  readonly bytesPerBatchMax: number;
  readonly concurrency: number;
  /** Stop after about so many documents. */
  readonly rowCountMax: number;
}

export interface ImportDeps {
  readonly clock: Clock;
  readonly client: WriteClient;
  readonly loadState: () => Promise<ImportState | undefined>;
  readonly saveState: (state: ImportState) => Promise<void>;
  readonly onProgress: (progress: ImportProgress) => void;
  /** Names this run in idempotency keys: a batch that is sent again is applied once, a later import of the same file anew. */
  readonly runId: string;
}

export interface ImportProgress {
  readonly position: number;
  readonly positionEnd: number;
  /** Documents that are durable, those of earlier runs included. */
  readonly rowCount: number;
  readonly rowsPerSecond: number;
}

export interface ImportResult {
  readonly rowCount: number;
  /** Of which an earlier run had brought. */
  readonly resumedRowCount: number;
  readonly elapsedMs: number;
  readonly rowsPerSecond: number;
}

const stateEveryMs = 500;

interface Settled {
  readonly index: number;
  readonly batch: ImportBatch;
}

/**
 * Sends a source's batches with bounded concurrency. The state moves over the longest run of batches that are all durable; what was sent behind
 * it is sent again on resume, which changes nothing: a document is replaced by itself.
 */
export async function runImport(
  source: DocumentSource,
  options: ImportOptions,
  deps: ImportDeps,
  signal?: AbortSignal,
): Promise<ImportResult> {
  const resumed = await resumePoint(source, options, deps, signal);
  const startedAtMs = deps.clock.monotonicMs();
  let { position, rowCount } = resumed;
  let sentRowCount = rowCount;
  let durableIndex = 0; // batches before it are durable
  let savedAtMs = startedAtMs;
  const ahead = new Map<number, ImportBatch>();
  const inFlight = new Map<number, Promise<Settled>>();
  const rowsPerSecond = () =>
    ((rowCount - resumed.rowCount) * 1000) / Math.max(1, deps.clock.monotonicMs() - startedAtMs);
  const state = (): ImportState => ({
    fingerprint: source.fingerprint,
    url: options.url,
    namespace: options.namespace,
    position,
    rowCount,
  });

  const settleOne = async (): Promise<void> => {
    const { index, batch } = await Promise.race(inFlight.values());
    inFlight.delete(index);
    ahead.set(index, batch);
    for (let next = ahead.get(durableIndex); next !== undefined; next = ahead.get(durableIndex)) {
      ahead.delete(durableIndex++);
      position = next.position;
      rowCount += next.rowCount;
    }
    deps.onProgress({ position, positionEnd: source.positionEnd, rowCount, rowsPerSecond: rowsPerSecond() });
    if (deps.clock.monotonicMs() - savedAtMs < stateEveryMs) return;
    savedAtMs = deps.clock.monotonicMs();
    await deps.saveState(state());
  };

  let index = 0;
  try {
    const batches = source.batches({
      from: position,
      rowsPerBatch: options.rowsPerBatch,
      bytesPerBatchMax: options.bytesPerBatchMax,
    });
    for await (const batch of batches) {
      if (sentRowCount >= options.rowCountMax) break;
      sentRowCount += batch.rowCount;
      const sentIndex = index++;
      const sending = deps.client.write(batch.body, `import-${deps.runId}-${sentIndex}`, signal).then(
        () => ({ index: sentIndex, batch }),
        (error: unknown) => {
          throw atPosition(error, batch, source);
        },
      );
      sending.catch(() => {}); // awaited in the race; this only keeps a second failure from being unhandled
      inFlight.set(sentIndex, sending);
      if (inFlight.size >= options.concurrency) await settleOne();
    }
    while (inFlight.size > 0) await settleOne();
  } finally {
    await deps.saveState(state());
  }
  const elapsedMs = deps.clock.monotonicMs() - startedAtMs;
  return { rowCount, resumedRowCount: resumed.rowCount, elapsedMs, rowsPerSecond: rowsPerSecond() };
}

async function resumePoint(
  source: DocumentSource,
  options: ImportOptions,
  deps: ImportDeps,
  signal: AbortSignal | undefined,
): Promise<{ position: number; rowCount: number }> {
  const start = { position: 0, rowCount: 0 };
  const exists = await deps.client.exists(signal);
  const state = await deps.loadState();
  if (state === undefined || !exists) return start; // a namespace that is gone takes its progress with it
  // Another input or another server begins at the start: a document that is there already is replaced by itself.
  const same =
    state.fingerprint === source.fingerprint && state.url === options.url && state.namespace === options.namespace;
  return same ? { position: state.position, rowCount: state.rowCount } : start;
}

function atPosition(error: unknown, batch: ImportBatch, source: DocumentSource): unknown {
  if (!isLagoonError(error)) return error;
  return new LagoonError(error.code, `documents were refused: ${error.message}`, {
    context: { before: batch.position, unit: source.positionUnit, rows: batch.rowCount },
    cause: error,
  });
}
