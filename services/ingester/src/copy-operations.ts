import { create } from '@bufbuild/protobuf';
import {
  createRandomId,
  isLagoonError,
  LagoonError,
  type Log,
  type Random,
  sha256,
  toLagoonError,
  utf8Encode,
} from '@lagoon/base';
import { type CopyOperation, type NamespaceLog, readOperation, writeOperation } from '@lagoon/namespace';
import type { ObjectStore } from '@lagoon/object-store';
import type { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { BranchRequestSchema } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import type { CallContext, ServiceImplementation } from '@lagoon/rpc';

export interface CopyOperationsDeps {
  readonly store: ObjectStore;
  readonly random: Random;
  readonly log: Log;
  readonly namespaceLog: NamespaceLog;
  readonly branch: ServiceImplementation<typeof IngesterService>['branch'];
}

type Methods = 'startCopy' | 'getOperation';

/** An interrupted copy is taken up again within this: its idempotency key is kept for longer. */
const resumeMsMax = 50 * 60_000;

/** With these codes nothing is decided: whoever asks for the operation takes it up again. */
const passing = ['unavailable', 'deadline_exceeded', 'cancelled', 'resource_exhausted', 'internal'] as const;

/**
 * Copies with a token. The record comes first, then the birth under an idempotency key made of the token, then the outcome: so a process may die
 * anywhere, and whoever asks for the operation finishes it, applied once. A copy costs what a branch costs, so it is made before the token is answered;
 * only one that met a passing fault is found running.
 */
export function createCopyOperations(
  deps: CopyOperationsDeps,
): Pick<ServiceImplementation<typeof IngesterService>, Methods> {
  const { store } = deps;

  const attempt = async (
    namespace: string,
    token: string,
    operation: CopyOperation,
    context: CallContext,
  ): Promise<CopyOperation> => {
    const outcome = await tryCopy(namespace, token, operation, context);
    if (outcome === undefined) return operation;
    const done = { ...operation, finished: { atMs: deps.namespaceLog.storeTimeMs(), ...outcome } };
    await writeOperation(store, namespace, token, done, context.signal);
    return done;
  };

  const tryCopy = async (
    namespace: string,
    token: string,
    { source, startedAtMs }: CopyOperation,
    context: CallContext,
  ) => {
    if (deps.namespaceLog.storeTimeMs() - startedAtMs > resumeMsMax) {
      return failed(
        new LagoonError('unavailable', 'the copy was interrupted, and may or may not have been made', {
          reason: 'outcome_unknown',
        }),
      );
    }
    const idempotencyKey = `copy ${token}`;
    const request = create(BranchRequestSchema, {
      namespace,
      source,
      idempotencyKey,
      bodyHash: sha256(utf8Encode(source)),
    });
    try {
      const { manifestGeneration = 0n, sourceGeneration = 0n } = await deps.branch(request, context);
      const generations = { generation: Number(manifestGeneration), sourceGeneration: Number(sourceGeneration) };
      return { outcome: 'copied', ...generations } as const;
    } catch (thrown) {
      const error = toLagoonError(thrown);
      if (!passing.some((code) => code === error.code)) return failed(error);
      deps.log.warn('copy goes on when its operation is asked for', { namespace, error });
      return undefined;
    }
  };

  return {
    startCopy: async ({ namespace, source, idempotencyKey }, context) => {
      const token = idempotencyKey === '' ? createRandomId(deps.random) : tokenOf(namespace, idempotencyKey);
      const known = idempotencyKey === '' ? undefined : await readOperation(store, namespace, token, context.signal);
      if (known !== undefined && known.source !== source) {
        throw new LagoonError('conflict', 'the idempotency key was used with another body', {
          reason: 'idempotency_mismatch',
        });
      }
      if (known?.finished !== undefined) return { token };
      const operation = known ?? { source, startedAtMs: deps.namespaceLog.storeTimeMs(), finished: undefined };
      if (known === undefined) await writeOperation(store, namespace, token, operation, context.signal);
      await attempt(namespace, token, operation, context).catch((error: unknown) => {
        // The record is there: the outcome is found when it is asked for.
        if (!isLagoonError(error, 'unavailable')) throw error;
      });
      return { token };
    },

    getOperation: async ({ namespace, token }, context) => {
      const found = idPattern.test(token) ? await readOperation(store, namespace, token, context.signal) : undefined;
      if (found === undefined) throw new LagoonError('not_found', 'no such operation', { context: { namespace } });
      const operation = found.finished === undefined ? await attempt(namespace, token, found, context) : found;
      return operationMessage(operation);
    },
  };
}

const idPattern = /^[0-9a-z]{1,64}$/;

/** The same for each request with the key, wherever it arrives. */
function tokenOf(namespace: string, idempotencyKey: string): string {
  return Buffer.from(sha256(utf8Encode(`${namespace} ${idempotencyKey}`)))
    .toString('hex')
    .slice(0, 40);
}

function failed({ code, reason, message }: LagoonError) {
  return { outcome: 'failed', code, reason: reason ?? '', message } as const;
}

function operationMessage({ startedAtMs, finished }: CopyOperation) {
  const times = { startedAtMs: BigInt(Math.round(startedAtMs)), finishedAtMs: BigInt(Math.round(finished?.atMs ?? 0)) };
  if (finished === undefined) return times;
  if (finished.outcome === 'failed') {
    const { code, reason, message } = finished;
    return { ...times, outcome: { case: 'failed' as const, value: { code, reason, message } } };
  }
  const generations = {
    manifestGeneration: BigInt(finished.generation),
    sourceGeneration: BigInt(finished.sourceGeneration),
  };
  return { ...times, outcome: { case: 'copied' as const, value: generations } };
}
