import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSystemClock, createSystemRandom } from '@lagoon/base';
import { type ObjectStore, openStore } from '@lagoon/object-store';
import { startTestS3 } from '@lagoon/object-store/testing/s3';
import type { Flags } from '../support/lagoon-process.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';

/** What the members of a cluster share. */
export interface SharedStore {
  readonly name: string;
  /** For the checker, by a way of its own that nobody cuts. */
  readonly objects: ObjectStore;
  /** Flags of one member, and the hop between it and the store where there is a network between them. */
  open(port: () => Promise<number>): Promise<{ readonly flags: Flags; readonly link: TcpProxy | undefined }>;
  /** Stops the store itself where it stands, for all at once, or lets it go on; undefined: cannot be done. */
  readonly freeze?: ((isFrozen: boolean) => Promise<void>) | undefined;
  close(): Promise<void>;
}

export const storeNames = ['directory', 's3'] as const;
export type StoreName = (typeof storeNames)[number];

export function openSharedStore(name: StoreName): Promise<SharedStore> {
  return name === 's3' ? openBucket() : openDirectory();
}

async function openDirectory(): Promise<SharedStore> {
  const directory = await mkdtemp(join(tmpdir(), 'lagoon-chaos-'));
  const objects = await openStore(directory, { clock: createSystemClock(), random: createSystemRandom() });
  return {
    name: 'directory',
    objects,
    open: async () => ({ flags: { 'data-dir': directory }, link: undefined }),
    close: async () => {
      await objects.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A bucket on the S3 server of the test run; every member reaches it through a hop of its own. */
async function openBucket(): Promise<SharedStore> {
  const s3 = await startTestS3();
  const url = `s3://${await s3.createBucket()}/lagoon`;
  const { endpoint, accessKeyId, secretAccessKey } = s3;
  const deps = { clock: createSystemClock(), random: createSystemRandom() };
  const objects = await openStore(url, deps, { s3: { endpoint, credentials: { accessKeyId, secretAccessKey } } });
  const links: TcpProxy[] = [];
  return {
    name: 's3',
    objects,
    freeze: s3.freeze,
    open: async (port) => {
      const link = await startTcpProxy(new URL(endpoint), await port());
      links.push(link);
      const flags = {
        'object-store': url,
        's3-endpoint': `http://127.0.0.1:${link.port}`,
        's3-access-key-id': accessKeyId,
        's3-secret-access-key': secretAccessKey,
      };
      return { flags, link };
    },
    close: async () => {
      for (const link of links) await link.close();
      await objects.close();
      await s3.stop();
    },
  };
}
