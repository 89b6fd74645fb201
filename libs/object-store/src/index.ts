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
