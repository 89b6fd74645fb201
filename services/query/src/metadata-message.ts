import type { MessageInitShape } from '@bufbuild/protobuf';
import type { LiveNamespace } from '@lagoon/namespace';
import type { NamespaceMetadataSchema } from '@lagoon/proto/lagoon/v1/namespace_pb.js';
import { schemaMessage } from './write-result.ts';

/** What a view says of its namespace; the approximate counts cover what is indexed. */
export function metadataMessage(
  generation: number,
  live: LiveNamespace,
): MessageInitShape<typeof NamespaceMetadataSchema> {
  const { manifest, tail, settings } = live;
  return {
    schema: schemaMessage(live.schema),
    settings: {
      readOnly: settings.isReadOnly,
      pinnedReplicaCount: settings.pinnedReplicaCount,
      recall: settings.recall ?? 0,
    },
    manifestGeneration: BigInt(generation),
    approxRowCount: BigInt(manifest.rows.live),
    approxLogicalBytes: BigInt(sum(manifest.segments.map((segment) => segment.logicalBytes))),
    createdAtMs: BigInt(Math.round(live.createdAtMs)),
    lastWriteAtMs: BigInt(Math.round(live.lastWriteAtMs)),
    unindexedBytes: BigInt(sum(tail.map((batch) => batch.sizeBytes))),
    unindexedRowCount: BigInt(sum(tail.map((batch) => batch.upsertedRowCount))),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
