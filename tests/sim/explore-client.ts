import { utf8Decode, utf8Encode } from '@lagoon/base';
import { createGatewayRole, defaultGatewayConfig } from '@lagoon/gateway';
import { createIngesterRole } from '@lagoon/ingester';
import { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { QueryNodeService } from '@lagoon/proto/lagoon/v1/query_node_pb.js';
import { createQueryRole } from '@lagoon/query-service';
import { createLocalClient } from '@lagoon/rpc';
import { depsOf, type ExploreRequest, type Operation } from './explore-operations.ts';
import type { Process } from './explore-process.ts';
import type { ExploreStore } from './explore-store.ts';

/** What a request of an operation came to. */
export interface RequestRecord {
  readonly request: ExploreRequest;
  readonly operation: number;
  /** How often it was sent: what came of all but the last is not known. */
  attemptCount: number;
  /** Of the answer that stands. */
  status: number | undefined;
  body: Record<string, unknown>;
  /** Steps of the run before it was sent first, and before it was answered. */
  startedAt: number;
  endedAt: number;
}

/** Whoever wants an operation done: goes on with another process where one has died. */
export interface ExploreClient {
  readonly isOver: boolean;
  readonly failure: unknown;
  readonly records: readonly RequestRecord[];
  /** Does what is left to do, by this process. */
  run(process: Process, store: ExploreStore): void;
}

const attemptCountMax = 12;

export function createExploreClient(operation: Operation, slot: number, stepCount: () => number): ExploreClient {
  const requests = operation.requests?.(slot) ?? [];
  const records: RequestRecord[] = [];
  let isOver = false;
  let failure: unknown;
  const work = async (process: Process, store: ExploreStore): Promise<void> => {
    if (operation.job !== undefined) return await operation.job(process, store);
    const send = createSender(process, store);
    for (const request of operation.before !== undefined && records.length === 0 ? operation.before(slot) : []) {
      process.isFree = true;
      await send(request);
      process.isFree = false;
    }
    for (const [position, request] of requests.entries()) {
      const record = records[position] ?? newRecord(request, slot, stepCount());
      records[position] = record;
      if (record.status === undefined) await sendUntilKnown(process, send, record);
      if (record.endedAt === Number.POSITIVE_INFINITY) record.endedAt = stepCount();
    }
  };
  return {
    get isOver() {
      return isOver;
    },
    get failure() {
      return failure;
    },
    records,
    run: (process, store) => {
      work(process, store).then(
        () => {
          isOver = true;
        },
        (error: unknown) => {
          failure = error;
          isOver = true;
        },
      );
    },
  };
}

function newRecord(request: ExploreRequest, operation: number, startedAt: number): RequestRecord {
  return {
    request,
    operation,
    attemptCount: 0,
    status: undefined,
    body: {},
    startedAt,
    endedAt: Number.POSITIVE_INFINITY,
  };
}

async function sendUntilKnown(process: Process, send: Sender, record: RequestRecord): Promise<void> {
  for (let attempt = 0; attempt < attemptCountMax; attempt++) {
    if (attempt > 0) await process.clock.sleep(200);
    record.attemptCount++;
    const answer = await send(record.request);
    const isPassing = answer.status >= 500 || answer.status === 429;
    if (isPassing) continue;
    record.status = answer.status;
    record.body = answer.body;
    return;
  }
  throw new Error(`${record.request.method} ${record.request.path} has no answer that stands`);
}

export type Sender = (
  request: Omit<ExploreRequest, 'model' | 'namespace'>,
) => Promise<{ readonly status: number; readonly body: Record<string, unknown> }>;

/** A gateway and an ingester in the process, which know nothing yet. */
export function createSender(process: Process, store: ExploreStore): Sender {
  const deps = depsOf(process);
  const ingester = createIngesterRole({
    ...deps,
    store: store.handle(process),
    queryNodes: () => [],
    compactor: () => undefined,
  });
  const client = createLocalClient(IngesterService, ingester.service, deps);
  return senderOf(process, { ingester: () => client, queryNode: noQueryNode, anyQueryNode: noQueryNode });
}

/** A gateway and a query node in the process, which know nothing yet. */
export function createReader(process: Process, store: ExploreStore): Sender {
  const deps = depsOf(process);
  const role = createQueryRole(
    { ...deps, store: store.handle(process) },
    { workerCount: 0, arenaBytesMax: 4 << 20, arenaMemoryBytesMax: 4 << 20 },
  );
  const client = createLocalClient(QueryNodeService, role.service, deps);
  return senderOf(process, { ingester: noIngester, queryNode: () => client, anyQueryNode: () => client });
}

type Backends = Pick<Parameters<typeof createGatewayRole>[0], 'ingester' | 'queryNode' | 'anyQueryNode'>;

/** Making a gateway takes longer than a run; it keeps nothing, so that each name of a process has one, for the process that bears it now. */
const gateways = new Map<string, { handle: Handle; process: Process; backends: Backends }>();
type Handle = ReturnType<typeof createGatewayRole>['handle'];

function handleOf(process: Process, backends: Backends): Handle {
  const present = gateways.get(process.name);
  if (present !== undefined) {
    Object.assign(present, { process, backends });
    return present.handle;
  }
  const created = { process, backends };
  const clock: Process['clock'] = {
    monotonicMs: () => created.process.clock.monotonicMs(),
    wallMs: () => created.process.clock.wallMs(),
    sleep: (durationMs, signal) => created.process.clock.sleep(durationMs, signal),
    setTimer: (delayMs, callback) => created.process.clock.setTimer(delayMs, callback),
  };
  const { handle } = createGatewayRole(
    {
      ...depsOf(process),
      clock,
      ingester: (namespace) => created.backends.ingester(namespace),
      queryNode: (namespace) => created.backends.queryNode(namespace),
      anyQueryNode: () => created.backends.anyQueryNode(),
    },
    defaultGatewayConfig,
  );
  gateways.set(process.name, Object.assign(created, { handle }));
  return handle;
}

function senderOf(process: Process, backends: Backends): Sender {
  const handle = handleOf(process, backends);
  return async ({ method, path, body, key }) => {
    const headers = { 'content-type': 'application/json', ...(key === undefined ? {} : { 'idempotency-key': key }) };
    const bytes = body === undefined ? new Uint8Array(0) : utf8Encode(JSON.stringify(body));
    const response = await handle({ method, path, query: '', headers, body: bytes }, new AbortController().signal);
    return { status: response.status, body: JSON.parse(utf8Decode(response.body)) as Record<string, unknown> };
  };
}

function noQueryNode(): never {
  throw new Error('an operation asks a query node');
}

function noIngester(): never {
  throw new Error('a reader asks an ingester');
}
