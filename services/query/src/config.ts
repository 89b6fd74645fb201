import { invalidArgument } from '@lagoon/base';

/** Settings of the query role: plain values, all bounded. */
export interface QueryConfig {
  /** Bytes of cached blocks in memory. High-water: memory that was taken is never given back. */
  readonly arenaBytesMax: number;
  /** Bytes of one WebAssembly memory of the arena; a segment or a part of a batch must fit into one. */
  readonly arenaMemoryBytesMax: number;
  /** Share of the arena that pinned namespaces keep when others need room, in percent. */
  readonly pinnedPercentMax: number;
  /** Search threads, started at the first query; 0 searches on the thread that accepts requests. */
  readonly workerCount: number;
  /** Requests that wait for a search thread at most, over all namespaces. */
  readonly queueCountMax: number;
  /** Bytes of text indexes that each search thread keeps. */
  readonly textIndexBytesMax: number;
  readonly namespaceCountMax: number;
  /** Queries of one namespace that run at once, that wait, and how long they wait. */
  readonly runningCountMax: number;
  readonly waitingCountMax: number;
  readonly waitMsMax: number;
  /** How long a query waits for a generation that is not there yet. */
  readonly generationWaitMsMax: number;
}

const mebibyte = 1 << 20;

export const queryConfigDefaults: QueryConfig = {
  arenaBytesMax: 1024 * mebibyte,
  arenaMemoryBytesMax: 1024 * mebibyte,
  pinnedPercentMax: 50,
  workerCount: 2,
  queueCountMax: 256,
  textIndexBytesMax: 256 * mebibyte,
  namespaceCountMax: 1_024,
  runningCountMax: 16,
  waitingCountMax: 64,
  waitMsMax: 1_000,
  generationWaitMsMax: 10_000,
};

const bounds: Readonly<Record<keyof QueryConfig, readonly [number, number]>> = {
  arenaBytesMax: [4 * mebibyte, 2 ** 44],
  arenaMemoryBytesMax: [4 * mebibyte, 4_095 * mebibyte],
  pinnedPercentMax: [0, 90],
  workerCount: [0, 256],
  queueCountMax: [1, 100_000],
  textIndexBytesMax: [mebibyte, 2 ** 36],
  namespaceCountMax: [1, 1_000_000],
  runningCountMax: [1, 10_000],
  waitingCountMax: [0, 100_000],
  waitMsMax: [0, 60_000],
  generationWaitMsMax: [0, 600_000],
};

/** Defaults for what is not given; `invalid_argument` naming a setting that is out of its bounds. */
export function resolveQueryConfig(given: Partial<QueryConfig>): QueryConfig {
  const config = { ...queryConfigDefaults, ...given };
  for (const [name, [min, max]] of Object.entries(bounds)) {
    const value = config[name as keyof QueryConfig];
    if (Number.isInteger(value) && value >= min && value <= max) continue;
    throw invalidArgument('setting of the query role is out of range', { setting: name, value, min, max });
  }
  return { ...config, arenaMemoryBytesMax: Math.min(config.arenaMemoryBytesMax, config.arenaBytesMax) };
}
