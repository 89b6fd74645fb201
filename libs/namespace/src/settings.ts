import { create } from '@bufbuild/protobuf';
import { corrupt } from '@lagoon/base';
import { type StoredSettings, StoredSettingsSchema } from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';

/** What an operator says of a namespace beside its schema; every entry that changes any of it says all of it. */
export interface NamespaceSettings {
  /** Nothing but its settings can be changed. */
  readonly isReadOnly: boolean;
  /** Query nodes that keep it in memory; 0: it is not pinned. */
  readonly pinnedReplicaCount: number;
  /** What ANN queries that do not say it aim at, above 0 and up to 1; undefined: the default. */
  readonly recall: number | undefined;
}

export const defaultSettings: NamespaceSettings = { isReadOnly: false, pinnedReplicaCount: 0, recall: undefined };

export function isDefaultSettings(settings: NamespaceSettings): boolean {
  return sameSettings(settings, defaultSettings);
}

export function sameSettings(a: NamespaceSettings, b: NamespaceSettings): boolean {
  return a.isReadOnly === b.isReadOnly && a.pinnedReplicaCount === b.pinnedReplicaCount && a.recall === b.recall;
}

/** What a branch or restore begins with: what is about the rows. Protection and memory are given to one name only. */
export function inheritedSettings({ recall }: NamespaceSettings): NamespaceSettings {
  return { ...defaultSettings, recall };
}

export function settingsToStored({ isReadOnly, pinnedReplicaCount, recall }: NamespaceSettings): StoredSettings {
  return create(StoredSettingsSchema, { readOnly: isReadOnly, pinnedReplicaCount, recall: recall ?? 0 });
}

/** Throws `corrupt` for a recall that is none. */
export function settingsFromStored(stored: StoredSettings): NamespaceSettings {
  const { readOnly, pinnedReplicaCount, recall } = stored;
  if (!(recall >= 0 && recall <= 1)) throw corrupt('a stored recall that is none', { recall });
  return { isReadOnly: readOnly, pinnedReplicaCount, recall: recall === 0 ? undefined : recall };
}
