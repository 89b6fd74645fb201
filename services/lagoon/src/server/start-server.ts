import { type Clock, LagoonError, type Log, type Random } from '@lagoon/base';
import { createRpcServer } from '@lagoon/rpc';
import { createLog, createMetricsRegistry, createTracer } from '@lagoon/telemetry';
import { roleNames, type ServerConfig } from '../config/server-config.ts';
import { lagoonVersion } from '../version.ts';
import { closeInTime } from './close-in-time.ts';
import { createHttpFront } from './http-front.ts';
import { createReadiness } from './readiness.ts';
import {
  checkNeededRoles,
  closeRoleClients,
  createRoleClients,
  type LocalServices,
  type RoleClients,
} from './role-clients.ts';
import { type RunningRole, roleTable } from './roles.ts';
import { startStoreMonitor } from './store-monitor.ts';
import { startStore } from './store-start.ts';

export interface ServerDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Default: JSON lines on stdout at the configured level. */
  readonly log?: Log;
}

export interface RunningServer {
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Finishes what is under way within the grace period and stops; a second call waits for the first. */
  close(): Promise<void>;
}

/**
 * Starts the roles of one process. Resolves when it is ready; rejects with a LagoonError and nothing left open when it cannot.
 * Aborting the signal gives a start up.
 */
export async function startServer(
  config: ServerConfig,
  deps: ServerDeps,
  signal?: AbortSignal,
): Promise<RunningServer> {
  checkNeededRoles(config);
  const { settings } = config;
  const { clock, random } = deps;
  const startedMs = clock.monotonicMs();
  const log = deps.log ?? createLog({ level: settings['log-level'], to: 'stdout' });
  await using open = new AsyncDisposableStack();
  const { metrics, metricsText } = createMetricsRegistry({ processMetrics: settings['process-metrics'] });
  const tracer = await createTracer({
    endpoint: settings['otlp-endpoint'],
    serviceName: 'lagoon',
    serviceVersion: lagoonVersion,
    sampleRatio: settings['trace-sample-ratio'],
  });
  open.defer(() => tracer.close().catch((error: unknown) => log.warn('spans were lost', { error })));
  const readiness = createReadiness();
  const graceMs = settings['grace-period-ms'];

  const http = createHttpFront(
    { clock, readiness, metricsText },
    { connectionCountMax: settings['connection-count-max'] },
  );
  const httpPort = await http.listen({ host: settings['http-host'], port: settings['http-port'] });
  open.defer(() => http.close(0));

  const opening = signal ?? new AbortController().signal;
  const { store, clusterId } = await startStore({ clock, random, log, metrics }, config, opening);
  open.defer(() => store.close());

  const rpcDeps = { clock, log, metrics, tracer };
  let clients: RoleClients | undefined;
  const roleDeps = {
    ...rpcDeps,
    random,
    store,
    clients: () => {
      if (clients === undefined) throw new LagoonError('unavailable', 'the server is starting');
      return clients;
    },
  };
  const stopOrder = roleNames.filter((name) => config.roles.includes(name));
  const roles: RunningRole[] = [];
  for (const name of stopOrder) {
    const role = await roleTable[name]({ ...roleDeps, log: log.child({ role: name }) }, config);
    roles.push(role);
    open.defer(() => role.close());
  }
  const services: LocalServices = Object.assign({}, ...roles.map((role) => role.services));
  const made = createRoleClients(services, config, rpcDeps);
  clients = made;
  open.defer(() => closeRoleClients(made));

  const rpc = createRpcServer(rpcDeps, { messageBytesMax: settings['grpc-message-bytes-max'] });
  for (const role of roles) role.addTo(rpc);
  const grpcPort = await rpc.listen({ host: settings['grpc-host'], port: settings['grpc-port'] });
  open.defer(() => rpc.close(0));
  for (const role of roles) if (role.requestListener !== undefined) http.setListener(role.requestListener);
  const monitor = startStoreMonitor({ clock, log, store, readiness });
  open.defer(() => monitor.close());
  for (const role of roles) role.start?.();

  readiness.markStarted();
  warnWhenOpen(config, log);
  log.info('ready', {
    roles: config.roles.join(','),
    store: store.url,
    clusterId,
    http: `${settings['http-host']}:${httpPort}`,
    grpc: `${settings['grpc-host']}:${grpcPort}`,
    startMs: Math.round(clock.monotonicMs() - startedMs),
  });

  open.move();
  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    log.info('stopping', { graceMs });
    const deadlineMs = clock.monotonicMs() + graceMs + closingMsMax;
    readiness.markStopping();
    await Promise.all([http.close(graceMs), rpc.close(graceMs), monitor.close()]);
    const steps = roles.map((role, i) => ({ name: stopOrder[i] ?? 'role', close: () => role.close() }));
    await closeInTime({ clock, log }, steps, deadlineMs);
    closeRoleClients(made);
    const last = [
      { name: 'store', close: () => store.close() },
      { name: 'tracer', close: () => tracer.close() },
    ];
    await closeInTime({ clock, log }, last, deadlineMs);
    log.info('stopped');
  };
  return {
    httpPort,
    grpcPort,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

/** What comes after the last request, at most: batches that a store does not take would wait for minutes. */
const closingMsMax = 4_000;

const loopback = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

function warnWhenOpen({ settings }: ServerConfig, log: Log): void {
  for (const name of ['http-host', 'grpc-host'] as const) {
    if (loopback.test(settings[name])) continue;
    const message =
      'OPEN TO EVERYONE: there are no API keys yet, whoever reaches this address can read, write and delete all data';
    log.warn(message, { [name]: settings[name] });
  }
}
