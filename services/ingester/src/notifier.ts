import type { Clock, Log } from '@lagoon/base';
import type { CompactorService } from '@lagoon/proto/lagoon/v1/compactor_pb.js';
import type { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import type { ServiceClient } from '@lagoon/rpc';
import type { IngesterConfig } from './config.ts';

export interface TailNotice {
  readonly generation: number;
  readonly unindexedBytes: number;
  readonly unindexedEntryCount: number;
}

export interface NotifierDeps {
  readonly clock: Clock;
  readonly log: Log;
  queryNodes(): readonly ServiceClient<typeof QueryNodeService>[];
  compactor(namespace: string): ServiceClient<typeof CompactorService> | undefined;
}

/**
 * Tells query nodes and the compactor that a namespace has moved. Best effort: a lost notice costs freshness or index lag.
 * Of a namespace only the newest notice waits, and one is on its way at a time.
 */
export interface Notifier {
  notify(namespace: string, notice: TailNotice): void;
  /** Resolves when what is waiting has been sent. */
  drain(): Promise<void>;
}

export function createNotifier(
  deps: NotifierDeps,
  config: Pick<IngesterConfig, 'notifyTimeoutMs' | 'notifyQueueMax' | 'notifyConcurrencyMax'>,
): Notifier {
  const waiting = new Map<string, TailNotice>();
  const running = new Map<string, Promise<void>>();

  const send = async (namespace: string, notice: TailNotice): Promise<void> => {
    const generation = BigInt(notice.generation);
    const options = { timeoutMs: config.notifyTimeoutMs };
    const calls: Promise<unknown>[] = deps.queryNodes().map((node) => node.notify({ namespace, generation }, options));
    const compactor = deps.compactor(namespace);
    if (compactor !== undefined && notice.unindexedEntryCount > 0) {
      calls.push(
        compactor.notify(
          {
            namespace,
            generation,
            unindexedBytes: BigInt(notice.unindexedBytes),
            unindexedEntryCount: BigInt(notice.unindexedEntryCount),
          },
          options,
        ),
      );
    }
    const results = await Promise.allSettled(calls);
    const lost = results.filter((result) => result.status === 'rejected').length;
    if (lost > 0) deps.log.debug('notices lost', { namespace, generation: notice.generation, lost });
  };

  const pump = (): void => {
    for (const [namespace, notice] of waiting) {
      if (running.size >= config.notifyConcurrencyMax) return;
      if (running.has(namespace)) continue;
      waiting.delete(namespace);
      const sent = send(namespace, notice)
        .catch((error) => deps.log.warn('notices failed', { namespace, error }))
        .finally(() => {
          running.delete(namespace);
          pump();
        });
      running.set(namespace, sent);
    }
  };

  return {
    notify: (namespace, notice) => {
      waiting.delete(namespace);
      const oldest = waiting.keys().next();
      if (waiting.size >= config.notifyQueueMax && !oldest.done) waiting.delete(oldest.value);
      waiting.set(namespace, notice);
      pump();
    },
    drain: async () => {
      while (running.size > 0) await Promise.all(running.values());
    },
  };
}
