import { create } from '@bufbuild/protobuf';
import type { Clock } from '@lagoon/base';
import type { Instant, Lineage, NamespaceLog, Snapshot } from '@lagoon/namespace';
import type { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { SnapshotSchema } from '@lagoon/proto/lagoon/v1/lineage_pb.js';
import type { ServiceImplementation } from '@lagoon/rpc';
import { type BirthAnswer, commitBirth, readBirthOrder, readGeneration } from './commit-birth.ts';
import type { NamespaceWriter } from './namespace-writer.ts';

export interface LineageServiceDeps {
  readonly clock: Clock;
  readonly namespaceLog: NamespaceLog;
  readonly lineage: Lineage;
  /** The one writer of the name; throws where it may not be had. */
  writerOf(namespace: string): NamespaceWriter;
  /** `entryCount` entries of the new namespace wait to be indexed. */
  onBirth(namespace: string, generation: number, entryCount: number): void;
}

type LineageMethods = 'branch' | 'createSnapshot' | 'listSnapshots' | 'deleteSnapshot';

/** Branches go through the writer of the child, one entry at a time; snapshots touch no sequence. */
export function createLineageService(
  deps: LineageServiceDeps,
): Pick<ServiceImplementation<typeof IngesterService>, LineageMethods> {
  return {
    branch: async (request) => {
      const { namespace } = request;
      const order = readBirthOrder(request);
      const answer = await deps
        .writerOf(namespace)
        .alone<BirthAnswer>((view, table, signal) => commitBirth(deps, namespace, order, view, table, signal));
      const { generation, sourceGeneration, origin } = answer;
      if (origin !== undefined) {
        const ownCount = order.idempotency === undefined ? 0 : 1; // the key lies in the tail
        deps.onBirth(namespace, generation, ownCount + inheritedEntryCount(origin));
      }
      return { manifestGeneration: BigInt(generation), sourceGeneration: BigInt(sourceGeneration) };
    },
    createSnapshot: async ({ namespace, name, generation }, { signal }) => {
      const at = generation === undefined ? undefined : readGeneration(generation);
      const snapshot = await deps.lineage.createSnapshot(namespace, name, at, signal);
      return { snapshot: snapshotMessage(snapshot) };
    },
    listSnapshots: async ({ namespace }, { signal }) => ({
      snapshots: (await deps.lineage.listSnapshots(namespace, signal)).map(snapshotMessage),
    }),
    deleteSnapshot: async ({ namespace, name }, { signal }) => {
      await deps.lineage.deleteSnapshot(namespace, name, signal);
      return {};
    },
  };
}

function snapshotMessage({ name, instant, createdAtMs }: Snapshot) {
  return create(SnapshotSchema, {
    name,
    manifestGeneration: BigInt(instant.generation),
    createdAtMs: BigInt(createdAtMs),
  });
}

/** Their bytes are not known without reading them. */
function inheritedEntryCount(origin: Instant): number {
  return origin.tail.reduce((count, range) => count + range.generationLast - range.generationFirst + 1, 0);
}
