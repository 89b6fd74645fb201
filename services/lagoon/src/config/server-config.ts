import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { invalidArgument } from '@lagoon/base';
import type { OpenStoreOptions, S3Encryption } from '@lagoon/object-store';
import { suggestion } from './nearest.ts';
import type { SettingValues } from './settings.ts';

export const roleNames = ['gateway', 'query', 'ingester', 'compactor'] as const;

export type RoleName = (typeof roleNames)[number];

/** What a server is made from: settings that fit together. */
export interface ServerConfig {
  readonly settings: SettingValues;
  readonly storeUrl: string;
  readonly storeOptions: OpenStoreOptions;
  readonly roles: readonly RoleName[];
  readonly rerankers: ReadonlyMap<string, string>;
  /** Of roles that other processes serve. */
  readonly addresses: Readonly<Record<Exclude<RoleName, 'gateway'>, readonly string[]>>;
}

/** Checks what one setting alone cannot say. */
export function toServerConfig(settings: SettingValues): ServerConfig {
  return {
    settings,
    storeUrl: storeUrlOf(settings),
    storeOptions: storeOptionsOf(settings),
    roles: parseRoles(settings.roles),
    rerankers: rerankersOf(settings),
    addresses: {
      query: checkAddresses('query-addresses', settings['query-addresses']),
      ingester: checkAddresses('ingester-addresses', settings['ingester-addresses']),
      compactor: checkAddresses('compactor-addresses', settings['compactor-addresses']),
    },
  };
}

export function storeUrlOf(settings: SettingValues): string {
  const directory = settings['data-dir'];
  const url = settings['object-store'];
  if (directory !== undefined && url !== undefined)
    throw invalidArgument('give --data-dir or --object-store, not both');
  if (url !== undefined) {
    if (!/^(s3:\/\/|file:|memory:)/.test(url))
      throw invalidArgument(`--object-store: expected s3://bucket/prefix, not ${url}`);
    return url;
  }
  if (directory === undefined)
    throw invalidArgument('where is the data? give --data-dir DIR or --object-store s3://bucket/prefix');
  return directory;
}

export function storeOptionsOf(settings: SettingValues): OpenStoreOptions {
  const accessKeyId = settings['s3-access-key-id'];
  const secretAccessKey = settings['s3-secret-access-key'];
  const sessionToken = settings['s3-session-token'];
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined)) {
    throw invalidArgument('s3-access-key-id and s3-secret-access-key go together');
  }
  const endpoint = settings['s3-endpoint'];
  const region = settings['s3-region'];
  const pathStyle = settings['s3-path-style'];
  const encryption = encryptionOf(settings);
  return {
    fsync: settings.fsync,
    s3: {
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(region === undefined ? {} : { region }),
      ...(pathStyle === 'auto' ? {} : { pathStyle: pathStyle === 'true' }),
      ...(accessKeyId === undefined || secretAccessKey === undefined
        ? {}
        : { credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) } }),
      ...(encryption === undefined ? {} : { encryption }),
    },
  };
}

export function gcConfigOf(settings: SettingValues) {
  return {
    intervalMs: settings['gc-interval-ms'],
    retentionMs: settings['gc-retention-ms'],
    graceMs: settings['gc-grace-ms'],
  };
}

const rerankerCountMax = 64;

/** Where each named model answers. */
function rerankersOf(settings: SettingValues): ReadonlyMap<string, string> {
  const urls = new Map<string, string>();
  for (const entry of settings.rerankers) {
    const split = entry.indexOf('=');
    const [name, url] = [entry.slice(0, split), entry.slice(split + 1)];
    if (split < 1 || !/^https?:\/\//.test(url) || !URL.canParse(url)) {
      throw invalidArgument(`rerankers: expected name=http://…, not ${entry}`);
    }
    if (urls.has(name)) throw invalidArgument(`rerankers: ${name} is there twice`);
    urls.set(name, url);
  }
  if (urls.size > rerankerCountMax) throw invalidArgument(`rerankers: more than ${rerankerCountMax}`);
  return urls;
}

export function compactorConfigOf(settings: SettingValues) {
  return {
    jobConcurrencyMax: settings['compaction-concurrency'],
    indexBytesMin: settings['index-bytes-min'],
    indexEntryCountMin: settings['index-entry-count-min'],
    tailAgeMs: settings['index-age-ms'],
    smallTailAgeMs: settings['small-index-age-ms'],
    jobBytesMax: settings['index-job-bytes-max'],
    segmentBytesMax: settings['segment-bytes-max'],
    absorbBytesMax: settings['absorb-bytes-max'],
    idCacheBytesMax: settings['id-cache-bytes'],
    mergeConcurrencyMax: settings['merge-concurrency'],
    mergeFanIn: settings['merge-fan-in'],
    mergeQuietMs: settings['merge-quiet-ms'],
    mergeBytesMax: settings['merge-bytes-max'],
    mergeRowsMax: settings['merge-rows-max'],
    mergeDeadPercent: settings['merge-dead-percent'],
    mergeWindowBytes: settings['merge-window-bytes'],
    scratchBytesMax: settings['scratch-bytes-max'],
  };
}

/** Threads that build: one for each merge, and one for index jobs, which would else wait for hours. */
export function buildPoolOptionsOf(settings: SettingValues) {
  return {
    workerCount: settings['merge-concurrency'] + 1,
    scratchDirectory: settings['scratch-dir'] ?? join(tmpdir(), 'lagoon-scratch'),
    scratchBytesMax: settings['scratch-bytes-max'],
    heapBytesMax: settings['build-heap-bytes-max'],
  };
}

function encryptionOf(settings: SettingValues): S3Encryption | undefined {
  const keyId = settings['s3-sse-kms-key-id'];
  const type = settings['s3-sse'];
  if (type === 'aws:kms') return { type, ...(keyId === undefined ? {} : { keyId }) };
  if (keyId !== undefined) throw invalidArgument('s3-sse-kms-key-id needs s3-sse aws:kms');
  return type === 'AES256' ? { type } : undefined;
}

export function parseRoles(names: readonly string[]): readonly RoleName[] {
  const known: readonly string[] = ['all', ...roleNames];
  for (const name of names) {
    if (!known.includes(name)) {
      throw invalidArgument(`unknown role ${name}${suggestion(name, known)} (roles: ${known.join(', ')})`);
    }
  }
  return names.includes('all') ? roleNames : roleNames.filter((role) => names.includes(role));
}

function checkAddresses(name: string, addresses: readonly string[]): readonly string[] {
  for (const address of addresses) {
    const port = Number(/^.+:(\d{1,5})$/.exec(address)?.[1]);
    if (!(port > 0 && port < 65_536)) throw invalidArgument(`${name}: expected host:port, not ${address}`);
  }
  if (new Set(addresses).size !== addresses.length) throw invalidArgument(`${name}: an address is there twice`);
  return addresses;
}
