import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestS3 } from '../../libs/object-store/src/testing/test-s3.ts';
import { freePort } from './free-port.ts';
import { type Flags, type LagoonProcess, startLagoon } from './lagoon-process.ts';

/** A deployment of real processes behind one URL. */
export interface ProcessTarget {
  readonly url: string;
  readonly grpcAddress: string;
  readonly processes: readonly LagoonProcess[];
  /** The output of all its processes. */
  readonly logs: () => string;
  close(): Promise<void>;
}

/** One process with all roles on a temporary directory. */
export async function startOnDirectory(flags: Flags = {}): Promise<ProcessTarget> {
  const directory = await mkdtemp(join(tmpdir(), 'lagoon-e2e-'));
  const cleanUp = () => rm(directory, { recursive: true, force: true });
  try {
    const one = await startLagoon({ 'data-dir': directory, ...flags });
    return targetOf(one, [one], cleanUp);
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

/** One process with all roles on a bucket of its own. */
export async function startOnS3(flags: Flags = {}): Promise<ProcessTarget> {
  const one = await startLagoon({ ...(await s3Flags()), ...flags });
  return targetOf(one, [one]);
}

/** A process per role on one bucket: what they share is the bucket and gRPC. */
export async function startFourOnS3(flags: Flags = {}): Promise<ProcessTarget> {
  const store = { ...(await s3Flags()), ...flags };
  const started: LagoonProcess[] = [];
  const start = async (roleFlags: Flags): Promise<LagoonProcess> => {
    const one = await startLagoon({ ...store, ...roleFlags });
    started.push(one);
    return one;
  };
  try {
    const query = await start({ roles: 'query' });
    const queries = { 'query-addresses': query.grpcAddress };
    const compactorPort = await freePort();
    const compactors = { 'compactor-addresses': `127.0.0.1:${compactorPort}` };
    const ingester = await start({ ...queries, ...compactors, roles: 'ingester' });
    const addresses = { ...queries, 'ingester-addresses': ingester.grpcAddress };
    const compactor = await start({ ...addresses, roles: 'compactor', 'grpc-port': compactorPort });
    const gateway = await start({ ...addresses, roles: 'gateway' });
    return targetOf(gateway, [gateway, ingester, compactor, query]);
  } catch (error) {
    for (const one of started) await one.close();
    throw error;
  }
}

/** A new bucket on the S3 server of the test run, as flags; through another address where one is given. */
export async function s3Flags(endpoint?: string): Promise<Flags> {
  const s3 = await startTestS3();
  return {
    'object-store': `s3://${await s3.createBucket()}/lagoon`,
    's3-endpoint': endpoint ?? s3.endpoint,
    's3-access-key-id': s3.accessKeyId,
    's3-secret-access-key': s3.secretAccessKey,
  };
}

function targetOf(
  front: LagoonProcess,
  processes: readonly LagoonProcess[],
  cleanUp: () => Promise<void> = async () => {},
): ProcessTarget {
  return {
    url: front.url,
    grpcAddress: front.grpcAddress,
    processes,
    logs: () => processes.map((one) => `--- process ${one.pid}\n${one.logs()}`).join('\n'),
    close: async () => {
      for (const one of processes) await one.close();
      await cleanUp();
    },
  };
}
