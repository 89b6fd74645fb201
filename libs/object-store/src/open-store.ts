import { fileURLToPath } from 'node:url';
import { type Clock, invalidArgument, type Log, type Random } from '@lagoon/base';
import { createFileSystemStore } from './filesystem.ts';
import { createMemoryStore } from './memory.ts';
import type { ObjectStore } from './object-store.ts';
import { prefixed } from './prefixed.ts';
import { createS3Store, type S3StoreOptions } from './s3.ts';

export interface OpenStoreDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
}

export interface OpenStoreOptions {
  /** For `s3://` only. */
  readonly s3?: Omit<S3StoreOptions, 'bucket' | 'clock'>;
  /** For directories only; see `FileSystemStoreOptions`. */
  readonly fsync?: boolean;
}

/**
 * The store that a URL names: `memory:`, `s3://bucket` or `s3://bucket/prefix`, `file:///path`, or the path of a directory.
 * Throws `invalid_argument` for any other URL. A bucket is not asked for before the first verb.
 */
export async function openStore(
  url: string,
  deps: OpenStoreDeps,
  options: OpenStoreOptions = {},
): Promise<ObjectStore> {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return openDirectory(url, deps, options);
    case 'file':
      return openDirectory(pathOfFileUrl(url), deps, options);
    case 'memory':
      return createMemoryStore({ clock: deps.clock });
    case 's3':
      return openBucket(url, deps, options);
    default:
      throw invalidArgument('the store url has an unknown scheme', {
        url,
        known: 'memory:, s3://, file://, or a path',
      });
  }
}

function openDirectory(root: string, deps: OpenStoreDeps, options: OpenStoreOptions): Promise<ObjectStore> {
  if (root === '') throw invalidArgument('the store url is empty');
  const { random, log } = deps;
  const { fsync } = options;
  return createFileSystemStore({
    root,
    random,
    ...(log === undefined ? {} : { log }),
    ...(fsync === undefined ? {} : { fsync }),
  });
}

async function openBucket(url: string, deps: OpenStoreDeps, options: OpenStoreOptions): Promise<ObjectStore> {
  const match = /^s3:\/\/([a-z0-9][a-z0-9._-]{1,61}[a-z0-9])(?:\/(.*))?$/i.exec(url);
  if (match === null) throw invalidArgument('the store url is not s3://bucket/prefix', { url });
  const [, bucket = '', path = ''] = match;
  const store = await createS3Store({ ...options.s3, bucket, clock: deps.clock });
  const prefix = path.replace(/\/+$/, '');
  return prefix === '' ? store : prefixed(store, `${prefix}/`);
}

function pathOfFileUrl(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (cause) {
    throw invalidArgument('the store url is not a file url of this machine', { url, cause: String(cause) });
  }
}
