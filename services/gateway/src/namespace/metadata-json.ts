import { formatDatetime } from '@lagoon/format';
import type { NamespaceMetadata, NamespaceSettings } from '@lagoon/proto/lagoon/v1/namespace_pb.js';
import { jsonInteger } from '../json/json-integer.ts';
import type { JsonObject } from '../json/shape.ts';
import { schemaToJson } from '../schema/schema-json.ts';

/** Only what is set. */
function settingsToJson(settings: NamespaceSettings | undefined): JsonObject {
  const { readOnly = false, pinnedReplicaCount = 0, recall = 0 } = settings ?? {};
  return {
    ...(pinnedReplicaCount > 0 ? { pinning: { replicas: pinnedReplicaCount } } : {}),
    ...(readOnly ? { read_only: true } : {}),
    ...(recall > 0 ? { recall } : {}),
  };
}

/** A namespace's metadata in the dialect's form. */
export function metadataToJson(metadata: NamespaceMetadata): JsonObject {
  const lastWriteAt = formatDatetime(metadata.lastWriteAtMs);
  return {
    schema: schemaToJson(metadata.schema),
    approx_row_count: jsonInteger(metadata.approxRowCount),
    approx_logical_bytes: jsonInteger(metadata.approxLogicalBytes),
    created_at: formatDatetime(metadata.createdAtMs),
    updated_at: lastWriteAt,
    last_write_at: lastWriteAt,
    encryption: { mode: 'default' },
    ...settingsToJson(metadata.settings),
    index:
      metadata.unindexedBytes === 0n && metadata.unindexedRowCount === 0n
        ? { status: 'up-to-date' }
        : {
            status: 'updating',
            unindexed_bytes: jsonInteger(metadata.unindexedBytes),
            unindexed_rows: jsonInteger(metadata.unindexedRowCount),
          },
    manifest_generation: jsonInteger(metadata.manifestGeneration),
  };
}
