import { create, toBinary } from '@bufbuild/protobuf';
import type { ObjectStore } from '@lagoon/object-store';
import { FamilyMemberSchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { familyKey } from './keys.ts';
import type { LiveNamespace } from './view.ts';

/**
 * Records the incarnation as a member of its family; needed before its first segment, so that garbage collection knows whose
 * manifests may name it. The same bytes every time: writing it twice is harmless.
 */
export async function writeFamilyRecord(
  store: ObjectStore,
  name: string,
  live: Pick<LiveNamespace, 'family' | 'incarnation' | 'birthGeneration'>,
  signal?: AbortSignal,
): Promise<void> {
  const record = create(FamilyMemberSchema, {
    namespace: name,
    incarnation: live.incarnation,
    birthGeneration: BigInt(live.birthGeneration),
  });
  await store.put(familyKey(live.family, live.incarnation), toBinary(FamilyMemberSchema, record), signal);
}
