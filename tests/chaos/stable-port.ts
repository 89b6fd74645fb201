import { createServer } from 'node:net';
import type { Random } from '@lagoon/base';

/** Below the range from which systems take the ports of outgoing connections: a port stays free while its owner is down. */
const portMin = 10_000;
const portCount = 20_000;
const attemptCountMax = 100;

/** Ports of loopback that nobody listens on, each given once. */
export function createStablePorts(random: Random): () => Promise<number> {
  const given = new Set<number>();
  return async () => {
    for (let attempt = 0; attempt < attemptCountMax; attempt++) {
      const port = portMin + random.integer(portCount);
      if (given.has(port) || !(await isFree(port))) continue;
      given.add(port);
      return port;
    }
    throw new Error(`no free port in ${attemptCountMax} attempts`);
  };
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listens = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => resolve(true));
  });
  if (listens) await new Promise((resolve) => server.close(resolve));
  return listens;
}
