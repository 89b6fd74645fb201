export { createFrom } from './byte-source.ts';
export {
  type FaultInjectingStore,
  type FaultName,
  type FaultPolicy,
  faultInjecting,
  faultNames,
} from './fault-injecting.ts';
export { createFileSystemStore, type FileSystemStoreOptions } from './filesystem.ts';
export { checkKey, compareKeys } from './keys.ts';
export { type LatencyModel, type LatencyOfVerb, latencyModel } from './latency-model.ts';
export { createMemoryStore, type MemoryStoreOptions } from './memory.ts';
export { type MeteredStore, metered, type StoreCounts } from './metered.ts';
export {
  type ByteRange,
  type ByteSource,
  type CreateResult,
  type GetOptions,
  keyBytesMax,
  type ListedObject,
  type ListOptions,
  type ListPage,
  type ObjectStore,
  pageSizeMax,
  type Stamp,
  type StoredObject,
} from './object-store.ts';
export { type OpenStoreDeps, type OpenStoreOptions, openStore } from './open-store.ts';
export { prefixed } from './prefixed.ts';
export { type RetryingOptions, retrying } from './retrying.ts';
export { createS3Store, type S3Credentials, type S3Encryption, type S3StoreOptions } from './s3.ts';
export {
  type StoreCheckForm,
  type StoreCheckOptions,
  type StoreCheckReport,
  type StoreCheckResult,
  storeCheck,
} from './store-check.ts';
