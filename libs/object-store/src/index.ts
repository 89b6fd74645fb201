export { createFileSystemStore, type FileSystemStoreOptions } from './filesystem.ts';
export { checkKey, compareKeys } from './keys.ts';
export { createMemoryStore, type MemoryStoreOptions } from './memory.ts';
export {
  type ByteRange,
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
