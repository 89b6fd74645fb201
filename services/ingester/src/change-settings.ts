import type { MessageInitShape } from '@bufbuild/protobuf';
import { invalidArgument, LagoonError, unimplemented } from '@lagoon/base';
import { defaultSettings, type NamespaceSettings } from '@lagoon/namespace';
import type { NamespaceSettingsSchema, UpdateSettingsRequest } from '@lagoon/proto/lagoon/v1/namespace_pb.js';

/** What is undefined stays as it is. */
export interface SettingsChange {
  readonly isReadOnly: boolean | undefined;
  readonly pinnedReplicaCount: number | undefined;
  /** 0: the default again. */
  readonly recall: number | undefined;
}

/** Throws `invalid_argument`; `unimplemented` for more than one pinned replica, for a namespace is routed to one node. */
export function readSettingsChange(request: UpdateSettingsRequest): SettingsChange {
  const { readOnly, pinnedReplicaCount, recall } = request;
  if (pinnedReplicaCount !== undefined && pinnedReplicaCount > 1) throw unimplemented('pinning.replicas above 1');
  if (recall !== undefined && !(recall >= 0 && recall <= 1)) {
    throw invalidArgument('recall out of range', { recall, above: 0, max: 1 });
  }
  return { isReadOnly: readOnly, pinnedReplicaCount, recall };
}

export function changeSettings(settings: NamespaceSettings, change: SettingsChange | undefined): NamespaceSettings {
  if (change === undefined) return settings;
  const { isReadOnly, pinnedReplicaCount, recall } = change;
  return {
    isReadOnly: isReadOnly ?? settings.isReadOnly,
    pinnedReplicaCount: pinnedReplicaCount ?? settings.pinnedReplicaCount,
    recall: recall === undefined ? settings.recall : recall || defaultSettings.recall,
  };
}

/** Throws where nothing but the settings may change. */
export function checkWritable(namespace: string, settings: NamespaceSettings): void {
  if (!settings.isReadOnly) return;
  throw new LagoonError('permission_denied', 'the namespace is read-only', {
    reason: 'read_only',
    context: { namespace },
  });
}

export function settingsMessage(settings: NamespaceSettings): MessageInitShape<typeof NamespaceSettingsSchema> {
  const { isReadOnly, pinnedReplicaCount, recall } = settings;
  return { readOnly: isReadOnly, pinnedReplicaCount, recall: recall ?? 0 };
}
