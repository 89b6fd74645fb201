import { type Clock, isLagoonError, LagoonError, type Log, type Metrics, type Random, retry } from '@lagoon/base';
import { openCluster, recordCertificate } from '@lagoon/namespace';
import {
  metered,
  type ObjectStore,
  openStore,
  retrying,
  type StoreCheckReport,
  storeCheck,
} from '@lagoon/object-store';
import type { ServerConfig } from '../config/server-config.ts';

export interface StoreStartDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface StartedStore {
  /** Metered and retrying. */
  readonly store: ObjectStore;
  readonly clusterId: string;
}

/**
 * Opens the store and makes sure that it may be trusted: at the first start it is checked, and what was found is recorded in
 * lagoon.json. Rejects when the store lies, or cannot be reached for `start-timeout-ms`.
 */
export async function startStore(
  deps: StoreStartDeps,
  config: ServerConfig,
  signal: AbortSignal,
): Promise<StartedStore> {
  const plain = metered(await openStore(config.storeUrl, deps, config.storeOptions), deps);
  const store = retrying(plain, deps);
  try {
    const clusterId = await whileUnavailable(deps, config, signal, () => certify(plain, deps, signal));
    return { store, clusterId };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function certify(store: ObjectStore, deps: StoreStartDeps, signal: AbortSignal): Promise<string> {
  const cluster = await openCluster({ ...deps, store }, signal);
  if (cluster.certificate !== undefined) return cluster.clusterId;
  deps.log.info('first start on this store: checking it', { store: store.url });
  const report = await storeCheck([store], deps, { form: 'short' }, signal);
  if (!report.passed) throw lyingStore(report);
  await recordCertificate(
    store,
    cluster,
    { storeUrl: report.url, checkedAtMs: deps.clock.wallMs(), checks: report.checks },
    signal,
  );
  deps.log.info('the store keeps its word', { store: store.url, durationMs: report.durationMs });
  return cluster.clusterId;
}

function lyingStore(report: StoreCheckReport): LagoonError {
  const failed = report.checks.filter(({ passed }) => !passed).map(({ name, detail }) => `${name}: ${detail}`);
  return new LagoonError(
    'permission_denied',
    `this store does not keep its word, so it is refused: ${failed.join('; ')}`,
  );
}

async function whileUnavailable<R>(
  deps: StoreStartDeps,
  config: ServerConfig,
  signal: AbortSignal,
  attempt: () => Promise<R>,
): Promise<R> {
  const timeoutMs = config.settings['start-timeout-ms'];
  const deadlineMs = deps.clock.monotonicMs() + timeoutMs;
  const options = {
    attemptCountMax: 1_000,
    firstDelayMs: 200,
    delayMsMax: 2_000,
    isRetryable: (error: unknown) => isLagoonError(error, 'unavailable') && deps.clock.monotonicMs() < deadlineMs,
    onRetry: (error: unknown) => deps.log.warn('the store cannot be reached, trying again', { error }),
  };
  return await retry(deps, options, attempt, signal);
}
