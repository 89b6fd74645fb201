import type { Clock, Random } from '@lagoon/base';
import type { Flags } from '../support/lagoon-process.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { createMember, type Member, type RoleName } from './member.ts';
import type { SharedStore } from './shared-store.ts';
import { createStablePorts } from './stable-port.ts';

/**
 * Two processes of every role on one store.
 *
 * The first gateway reaches the ingesters, and the first query node only, through hops that can be cut; the second reaches all of them
 * by their own addresses. So each gateway ranks the ingesters in its own order and both ingesters write the same namespaces; what the
 * first gateway answers is the first query node's word; and the second one falls back to another node when one fails.
 */
export interface ChaosCluster {
  readonly members: readonly Member[];
  readonly gatewayUrls: readonly string[];
  /** Hops of the network by name, "gateway-0 to ingester-1". */
  readonly links: ReadonlyMap<string, TcpProxy>;
  /** The gateway whose reads are all of one query node. */
  readonly pinnedGateway: number;
  close(): Promise<void>;
}

const commonFlags: Flags = {
  'worker-count': 1,
  'cache-bytes': '64MiB',
  'log-level': 'warn',
  'process-metrics': false,
  'start-timeout-ms': 60_000,
  'grace-period-ms': 3_000,
};

/**
 * Segments of a few rows, merged two by two: by a merge of its own where the first compactor finds them, by the index job where the second one does.
 */
const compactorFlags: readonly Flags[] = [0, '8MiB'].map((absorbed) => ({
  'index-age-ms': 300,
  'small-index-age-ms': 300,
  'segment-bytes-max': '64KiB',
  'absorb-bytes-max': absorbed,
  'merge-fan-in': 2,
  'merge-bytes-max': '1MiB',
  'merge-rows-max': 1_000,
  'merge-window-bytes': '64KiB',
}));

export async function startCluster(clock: Clock, random: Random, store: SharedStore): Promise<ChaosCluster> {
  const port = createStablePorts(random);
  const links = new Map<string, TcpProxy>();
  const hops: TcpProxy[] = [];
  const members: Member[] = [];
  const add = async (role: RoleName, index: number, grpcPort: number, flags: Flags): Promise<void> => {
    const name = `${role}-${index}`;
    const { flags: storeFlags, link } = await store.open(port);
    if (link !== undefined) links.set(`${name} to store`, link);
    const httpPort = await port();
    members.push(
      createMember(clock, { name, role, httpPort, grpcPort, flags: { ...commonFlags, ...storeFlags, ...flags } }),
    );
  };
  const hop = async (name: string, address: string): Promise<string> => {
    const link = await startTcpProxy(new URL(`http://${address}`), await port());
    links.set(name, link);
    hops.push(link);
    return `127.0.0.1:${link.port}`;
  };
  const close = async (): Promise<void> => {
    await Promise.allSettled(members.map((member) => member.close()));
    for (const link of hops) await link.close();
  };
  try {
    const ports = { ingester: await pairOf(port), query: await pairOf(port), compactor: await pairOf(port) };
    const addressesOf = (pair: readonly number[]) => pair.map((one) => `127.0.0.1:${one}`);
    const ingesters = addressesOf(ports.ingester);
    const queries = addressesOf(ports.query);
    const peers = {
      'query-addresses': queries.join(),
      'compactor-addresses': addressesOf(ports.compactor).join(),
      'ingester-addresses': ingesters.join(),
    };
    for (const role of ['query', 'ingester', 'compactor'] as const) {
      for (const [index, grpcPort] of ports[role].entries()) {
        await add(role, index, grpcPort, { ...peers, ...(role === 'compactor' ? compactorFlags[index] : {}) });
      }
    }
    const hoppedIngesters: string[] = [];
    for (const [index, address] of ingesters.entries())
      hoppedIngesters.push(await hop(`gateway-0 to ingester-${index}`, address));
    const hoppedQuery = await hop('gateway-0 to query-0', queries[0] ?? '');
    await add('gateway', 0, await port(), {
      'query-addresses': hoppedQuery,
      'ingester-addresses': hoppedIngesters.join(),
    });
    await add('gateway', 1, await port(), peers);
    await Promise.all(members.map((member) => member.start()));
  } catch (error) {
    await close();
    throw error;
  }
  const gatewayUrls = members.filter(({ role }) => role === 'gateway').map(({ httpUrl }) => httpUrl);
  return { members, gatewayUrls, links, pinnedGateway: 0, close };
}

async function pairOf(port: () => Promise<number>): Promise<readonly number[]> {
  return [await port(), await port()];
}
