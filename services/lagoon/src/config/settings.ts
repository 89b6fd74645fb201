import { availableParallelism } from 'node:os';
import { logLevels } from '@lagoon/telemetry';
import type { z } from 'zod';
import { bytes, choice, flag, host, integer, list, ratio, type Setting, text } from './setting.ts';

const mebibyte = 2 ** 20;
const gibibyte = 2 ** 30;

/** Every setting of `lagoon serve`. The reference, the help and the parser are made from this table. */
export const settings = {
  'data-dir': text({
    group: 'storage',
    placeholder: 'dir',
    description: 'Directory that holds all data; made when absent. Exactly one of data-dir and object-store is needed.',
  }),
  'object-store': text({
    group: 'storage',
    placeholder: 'url',
    description: 'Bucket that holds all data, as s3://bucket or s3://bucket/prefix.',
  }),
  fsync: flag({
    group: 'storage',
    default: true,
    description:
      'Whether a write to data-dir is on the disk before it is acknowledged. False only for throw-away data.',
  }),
  'start-timeout-ms': integer({
    group: 'storage',
    placeholder: 'ms',
    min: 0,
    max: 600_000,
    default: 15_000,
    description: 'How long to try again at start while the store cannot be reached.',
  }),
  's3-endpoint': text({
    group: 's3',
    placeholder: 'url',
    description: 'Base URL of an S3-compatible store. Not set: AWS.',
  }),
  's3-region': text({
    group: 's3',
    placeholder: 'region',
    description: 'Region. Not set: from the environment, or us-east-1 with an endpoint.',
  }),
  's3-path-style': choice({
    group: 's3',
    choices: ['auto', 'true', 'false'],
    default: 'auto',
    description: 'Whether the bucket is in the path rather than in the host name. auto: when an endpoint is given.',
  }),
  's3-access-key-id': text({
    group: 's3',
    placeholder: 'id',
    description: 'Access key. Not set: the usual chain of environment, profile, web identity and instance role.',
  }),
  's3-secret-access-key': text({
    group: 's3',
    placeholder: 'key',
    isSecret: true,
    description:
      'Secret of the access key. Rather a variable than a flag: flags are seen by every user of the machine.',
  }),
  's3-session-token': text({
    group: 's3',
    placeholder: 'token',
    isSecret: true,
    description: 'Session token of temporary credentials.',
  }),
  's3-sse': choice({
    group: 's3',
    choices: ['none', 'AES256', 'aws:kms'],
    default: 'none',
    description: 'Server-side encryption that every write asks for. none: what the bucket does by itself.',
  }),
  's3-sse-kms-key-id': text({
    group: 's3',
    placeholder: 'id',
    description: 'Key of the key service, with s3-sse aws:kms. Not set: the default key of the bucket.',
  }),
  'http-host': host({
    group: 'network',
    placeholder: 'host',
    default: '127.0.0.1',
    description:
      'Address on which HTTP listens: API, health and metrics. There are no API keys yet: any other than loopback opens all data to whoever can reach it.',
  }),
  'http-port': integer({
    group: 'network',
    placeholder: 'port',
    min: 0,
    max: 65_535,
    default: 8080,
    description: 'Port of HTTP; 0 takes a free one.',
  }),
  'grpc-host': host({
    group: 'network',
    placeholder: 'host',
    default: '127.0.0.1',
    description:
      'Address on which gRPC listens: the public service, the roles of this process and health. As open as http-host.',
  }),
  'grpc-port': integer({
    group: 'network',
    placeholder: 'port',
    min: 0,
    max: 65_535,
    default: 8081,
    description: 'Port of gRPC; 0 takes a free one.',
  }),
  roles: list({
    group: 'roles',
    placeholder: 'names',
    expects: 'all, or a list of gateway, query, ingester, compactor',
    default: ['all'],
    description: 'What this process does, with commas between.',
  }),
  'ingester-addresses': list({
    group: 'roles',
    placeholder: 'list',
    expects: 'host:port, with commas between',
    default: [],
    description: 'gRPC addresses of all ingesters, when they are other processes. The same list everywhere.',
  }),
  'query-addresses': list({
    group: 'roles',
    placeholder: 'list',
    expects: 'host:port, with commas between',
    default: [],
    description: 'gRPC addresses of all query nodes, when they are other processes.',
  }),
  'compactor-addresses': list({
    group: 'roles',
    placeholder: 'list',
    expects: 'host:port, with commas between',
    default: [],
    description: 'gRPC addresses of all compactors, when they are other processes.',
  }),
  'cache-bytes': bytes({
    group: 'resources',
    min: 64 * mebibyte,
    max: 1_024 * gibibyte,
    default: 2 * gibibyte,
    description: 'Memory for blocks that queries read, taken as they are needed. Past it, the least recently used go.',
  }),
  'pinned-cache-percent': integer({
    group: 'resources',
    placeholder: 'percent',
    min: 0,
    max: 90,
    default: 50,
    description:
      'Share of cache-bytes that pinned namespaces keep when others need room. Pins beyond it are as if there were none.',
  }),
  rerankers: list({
    group: 'operation',
    placeholder: 'list',
    expects: 'name=url, with commas between',
    default: [],
    description:
      'Models that gateways ask to order the rows of several queries anew (rerank_by): each answers POST {model, query, documents} with {results: [{index, relevance_score}]}.',
  }),
  'reranker-timeout-ms': integer({
    group: 'operation',
    placeholder: 'ms',
    min: 10,
    max: 60_000,
    default: 2_000,
    description: 'How long a gateway waits for a reranker; then the fused order stands, and the answer says so.',
  }),
  'disk-cache-dir': text({
    group: 'resources',
    placeholder: 'dir',
    description:
      'Directory in which query nodes keep what they read of segments, across restarts; made when absent. Worth it with a bucket. Not set: no disk is used.',
  }),
  'disk-cache-bytes': bytes({
    group: 'resources',
    min: 64 * mebibyte,
    max: 64 * 1_024 * gibibyte,
    default: 32 * gibibyte,
    description: 'Bytes in disk-cache-dir. Past it, the objects that were used longest ago go.',
  }),
  'worker-count': integer({
    group: 'resources',
    placeholder: 'count',
    min: 1,
    max: 256,
    default: Math.max(1, Math.min(256, availableParallelism())),
    description: 'Threads that search, started at the first query. Default: the number of processors.',
  }),
  'compaction-concurrency': integer({
    group: 'resources',
    placeholder: 'count',
    min: 1,
    max: 64,
    default: 2,
    description: 'Index jobs of the compactor at one time.',
  }),
  'build-heap-bytes-max': bytes({
    group: 'compactor',
    min: 32 * mebibyte,
    max: 64 * gibibyte,
    default: 512 * mebibyte,
    description: 'JavaScript heap of each thread that builds segments. Rows lie beside it: see merge-window-bytes.',
  }),
  'index-bytes-min': bytes({
    group: 'compactor',
    min: 1,
    max: 16 * gibibyte,
    default: 16 * mebibyte,
    description: 'Unindexed writes of a namespace from which on they are indexed at once.',
  }),
  'index-entry-count-min': integer({
    group: 'compactor',
    placeholder: 'count',
    min: 1,
    max: 100_000,
    default: 256,
    description: 'Unindexed log entries of a namespace from which on they are indexed at once.',
  }),
  'index-age-ms': integer({
    group: 'compactor',
    placeholder: 'ms',
    min: 0,
    max: 3_600_000,
    default: 5_000,
    description: 'Longest that other writes wait before they are indexed.',
  }),
  'small-index-age-ms': integer({
    group: 'compactor',
    placeholder: 'ms',
    min: 0,
    max: 86_400_000,
    default: 60_000,
    description: 'The same where there are less than 1 MiB and 64 entries of them.',
  }),
  'index-job-bytes-max': bytes({
    group: 'compactor',
    min: mebibyte,
    max: 16 * gibibyte,
    default: 256 * mebibyte,
    description: 'Writes that one index job takes into memory.',
  }),
  'segment-bytes-max': bytes({
    group: 'compactor',
    min: 64 * 2 ** 10,
    max: 64 * mebibyte,
    default: 32 * mebibyte,
    description: 'About the largest segment that an index job makes; merges make larger ones.',
  }),
  'absorb-bytes-max': bytes({
    group: 'compactor',
    min: 0,
    max: 64 * mebibyte,
    default: 8 * mebibyte,
    description: 'Merges up to this size are done by the index job whose segment calls for them; 0: none.',
  }),
  'id-cache-bytes': bytes({
    group: 'compactor',
    min: 1_024,
    max: 64 * gibibyte,
    default: 256 * mebibyte,
    description: 'Memory for ids of older segments, which index jobs would else read again.',
  }),
  'merge-concurrency': integer({
    group: 'compactor',
    placeholder: 'count',
    min: 1,
    max: 64,
    default: 1,
    description: 'Merges at one time, each in a thread of its own; index jobs build in one more.',
  }),
  'merge-fan-in': integer({
    group: 'compactor',
    placeholder: 'count',
    min: 2,
    max: 64,
    default: 8,
    description:
      'Segments of about one size that are merged. More: less is rewritten, queries look into more segments.',
  }),
  'merge-quiet-ms': integer({
    group: 'compactor',
    placeholder: 'ms',
    min: 0,
    max: 86_400_000,
    default: 20_000,
    description:
      'Where nothing was indexed for so long and an attribute is searched by ANN, segments are merged that make one three times as large as each; 0: never.',
  }),
  'merge-bytes-max': bytes({
    group: 'compactor',
    min: mebibyte,
    max: 16 * gibibyte,
    default: 512 * mebibyte,
    description: 'The largest segment that a merge makes. One above half of it is not rewritten for small change.',
  }),
  'merge-rows-max': integer({
    group: 'compactor',
    placeholder: 'count',
    min: 1_000,
    max: 100_000_000,
    default: 1_000_000,
    description: 'The same in rows. A merge needs about 40 bytes of memory, and two ids, for each.',
  }),
  'merge-dead-percent': integer({
    group: 'compactor',
    placeholder: 'percent',
    min: 1,
    max: 100,
    default: 33,
    description: 'A segment of which so many in a hundred rows are deleted or replaced is rewritten.',
  }),
  'merge-window-bytes': bytes({
    group: 'compactor',
    min: 64 * 2 ** 10,
    max: gibibyte,
    default: 8 * mebibyte,
    description:
      'Rows of a merge in memory at one time; they take some five times as much while they are put in order.',
  }),
  'scratch-dir': text({
    group: 'compactor',
    placeholder: 'dir',
    description:
      'Where merges put rows that do not fit into memory; made when absent. Not set: the directory for temporary files.',
  }),
  'scratch-bytes-max': bytes({
    group: 'compactor',
    min: 16 * mebibyte,
    max: 1_024 * gibibyte,
    default: 8 * gibibyte,
    description:
      'What one merge may put there, about four times what it writes; past it the merge fails and is tried later.',
  }),
  'gc-interval-ms': integer({
    group: 'resources',
    placeholder: 'ms',
    min: 1_000,
    max: 86_400_000,
    default: 660_000,
    description: 'How often a compactor looks for garbage where something has changed.',
  }),
  'gc-retention-ms': integer({
    group: 'resources',
    placeholder: 'ms',
    min: 0,
    max: 31_536_000_000,
    default: 3_600_000,
    description: 'Generations younger than this stay readable, for branches and queries of an earlier instant.',
  }),
  'gc-grace-ms': integer({
    group: 'resources',
    placeholder: 'ms',
    min: 600_000,
    max: 31_536_000_000,
    default: 3_600_000,
    description: 'How long something must have been garbage before it is deleted. Less than ten minutes is not safe.',
  }),
  'body-bytes-max': bytes({
    group: 'limits',
    min: 1_024,
    max: 2 * gibibyte - 1,
    default: 512 * mebibyte,
    description: 'Largest body of one HTTP request, after inflating.',
  }),
  'body-bytes-in-flight-max': bytes({
    group: 'limits',
    min: mebibyte,
    max: 1_024 * gibibyte,
    default: gibibyte,
    description: 'All bodies in memory at one time; past it 429.',
  }),
  'request-count-max': integer({
    group: 'limits',
    placeholder: 'count',
    min: 1,
    max: 1_000_000,
    default: 1_024,
    description: 'HTTP requests under way at one time; past it 429.',
  }),
  'connection-count-max': integer({
    group: 'limits',
    placeholder: 'count',
    min: 1,
    max: 1_000_000,
    default: 10_000,
    description: 'HTTP connections at one time; past it they are dropped.',
  }),
  'grpc-message-bytes-max': bytes({
    group: 'limits',
    min: mebibyte,
    max: 2 * gibibyte - 1,
    default: 544 * mebibyte,
    description: 'Largest gRPC message. Between roles a write goes as one message: not below body-bytes-max.',
  }),
  'write-timeout-ms': integer({
    group: 'limits',
    placeholder: 'ms',
    min: 1,
    max: 3_600_000,
    default: 60_000,
    description: 'Longest that a write may take.',
  }),
  'query-timeout-ms': integer({
    group: 'limits',
    placeholder: 'ms',
    min: 1,
    max: 3_600_000,
    default: 30_000,
    description: 'Longest that a query may take.',
  }),
  'min-commit-interval-ms': integer({
    group: 'limits',
    placeholder: 'ms',
    min: 0,
    max: 60_000,
    default: 0,
    description: 'Least time between two commits of one namespace: fewer requests to the store for a longer write.',
  }),
  'unindexed-bytes-max': bytes({
    group: 'limits',
    min: mebibyte,
    max: 1_024 * gibibyte,
    default: 2 * gibibyte,
    description: 'Writes of a namespace that are not indexed yet; past it writers are told to wait.',
  }),
  'log-level': choice({
    group: 'operation',
    choices: logLevels,
    default: 'info',
    description: 'Least level that is logged, as JSON lines on stdout.',
  }),
  'otlp-endpoint': text({
    group: 'operation',
    placeholder: 'url',
    description: 'OTLP/HTTP receiver of traces, as http://host:4318. Not set: no tracing.',
  }),
  'trace-sample-ratio': ratio({
    group: 'operation',
    placeholder: 'share',
    default: 1,
    description: 'Share of the traces begun here that are sent.',
  }),
  'process-metrics': flag({
    group: 'operation',
    default: true,
    description: 'Whether /metrics has the figures of the process: memory, CPU, event loop.',
  }),
  'grace-period-ms': integer({
    group: 'operation',
    placeholder: 'ms',
    min: 0,
    max: 600_000,
    default: 25_000,
    description: 'After SIGTERM or SIGINT, how long requests under way may take to finish.',
  }),
} as const satisfies Readonly<Record<string, Setting>>;

export type SettingName = keyof typeof settings;

export type SettingValues = {
  readonly [K in SettingName]: (typeof settings)[K] extends Setting<infer T>
    ? T
    : z.output<(typeof settings)[K]['schema']>;
};

export const settingNames = Object.keys(settings) as readonly SettingName[];

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(settings, name);
}

export function variableOf(name: SettingName): string {
  return `LAGOON_${name.replaceAll('-', '_').toUpperCase()}`;
}
