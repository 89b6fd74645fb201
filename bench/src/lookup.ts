/**
 * What it costs to find one document, and to branch, snapshot and restore, with ten documents and with a million: requests as the store bills them. The
 * namespace is made by the compactor from batches of 100,000 rows, and has a batch behind it that is not indexed.
 */
import { createRandomId, createSeededRandom, createSystemClock, noMetrics, silentLog, utf8Encode } from '@lagoon/base';
import { createBlockCache } from '@lagoon/cache';
import { createCompactorRole } from '@lagoon/compactor';
import { encodeBlock, type IdColumn, type Schema } from '@lagoon/format';
import { createGatewayRole, defaultGatewayConfig } from '@lagoon/gateway';
import { createIngesterRole } from '@lagoon/ingester';
import { createNamespaceLog, writeDirtyMarker } from '@lagoon/namespace';
import { createMemoryStore, type MeteredStore, metered } from '@lagoon/object-store';
import { IngesterService } from '@lagoon/proto/lagoon/v1/ingester_pb.js';
import { createInlinePool, createQueryEngine, type Filter, searchScratchBytes } from '@lagoon/query';
import { createLocalClient } from '@lagoon/rpc';
import { createRangeReader, openSegment } from '@lagoon/segment';
import { noTracer } from '@lagoon/telemetry';
import { createArena } from '@lagoon/vector';

const rowCountMax = 1_000_000;
const batchRowCount = 100_000;
const lookUpCount = 100;
const namespace = 'documents';
const text = { kind: 'scalar', scalar: 'string' } as const;
const schema: Schema = { idKind: 'u64', attributes: new Map([['title', { type: text, filterable: false }]]) };

/** A store whose requests are counted, by what they are for. */
interface World {
  readonly store: MeteredStore;
  readonly base: ReturnType<typeof createBase>;
}

function createBase(store: MeteredStore) {
  return {
    ...{ clock: createSystemClock(), random: createSeededRandom(1), store },
    ...{ log: silentLog, metrics: noMetrics, tracer: noTracer },
  };
}

const idOf = (index: number): bigint => (BigInt(index) * 2_654_435_761n) % 2n ** 40n;

/** Indexed and merged, but for one last row. */
async function fill(rowCount: number): Promise<World> {
  const clock = createSystemClock();
  const store = metered(createMemoryStore({ clock }), { clock });
  const base = createBase(store);
  const log = createNamespaceLog(base);
  const write = async (from: number, to: number): Promise<void> => {
    const rows = Array.from({ length: to - from }, (_, index) => from + index).sort((a, b) =>
      idOf(a) < idOf(b) ? -1 : 1,
    );
    const values = rows.map((row) => `small document ${row}`);
    const columns = [{ name: 'title', type: text, values }];
    const part = encodeBlock({ idKind: 'u64', ids: rows.map(idOf), deletes: [], columns });
    const batch = { parts: [part], upsertedRowCount: rows.length, deletedRowCount: 0, idempotency: [] };
    const [incarnation, family] = [createRandomId(base.random), createRandomId(base.random)];
    await log.append((await log.open(namespace)).view, ({ live }) =>
      live === undefined
        ? { kind: 'birth', incarnation, family, batch: { ...batch, schema } }
        : { kind: 'batch', ...batch },
    );
  };
  for (let from = 0; from < rowCount; from += batchRowCount) {
    await write(from, Math.min(rowCount, from + batchRowCount));
  }
  await writeDirtyMarker(store, namespace, 1);
  const compactor = createCompactorRole(
    { ...base, ingester: () => undefined, queryNodes: () => [] },
    { tailAgeMs: 0, smallTailAgeMs: 0 },
  );
  compactor.start();
  await compactor.settled();
  await compactor.close();
  await write(rowCount, rowCount + 1);
  return { store, base };
}

function requestsOf(store: MeteredStore): string {
  const { get, put, create, list, bytesRead } = store.snapshot();
  return `${get + put + create + list} requests (${get} GET, ${list} LIST, ${put + create} PUT), ${(bytesRead / 1024).toFixed(0)} KiB read`;
}

const print = (line: string) => process.stdout.write(`${line}\n`);

/** By the reader of segments, with nothing but the manifest in memory. */
async function lookUp({ store, base }: World, rowCount: number): Promise<void> {
  const { live } = (await createNamespaceLog(base).open(namespace)).view;
  const segments = live?.manifest.segments ?? [];
  let getCountMax = 0;
  for (let look = 0; look < lookUpCount; look++) {
    const ids: IdColumn = { idKind: 'u64', count: 1, values: BigUint64Array.of(idOf((look * 7_919) % rowCount)) };
    store.reset();
    let found = 0;
    for (const { object, footer } of segments) {
      if (footer === undefined) throw new Error('the segment is of an older format');
      const reader = await openSegment(createRangeReader(store, object), { key: object.key, footer });
      if ((await reader.findRow(ids, 0)) >= 0) found++;
    }
    if (found !== 1) throw new Error('the document was not found');
    getCountMax = Math.max(getCountMax, store.snapshot().get);
  }
  print(`  ${segments.length} segment(s); an id to its row, nothing cached: at most ${getCountMax} GETs of ranges`);
  print(`    the last of ${lookUpCount}: ${requestsOf(store)}`);
}

/** The same by a query on a node that knows nothing, and the next one on it. */
async function queryById({ store, base }: World, rowCount: number): Promise<void> {
  const arena = createArena({ budgetBytes: 512 << 20, scratchBytes: searchScratchBytes });
  const pool = createInlinePool(arena, { textIndexBytesMax: 64 << 20 });
  const engine = createQueryEngine({
    ...{ ...base, cache: createBlockCache({ arena }), pool },
    namespaceLog: createNamespaceLog(base),
  });
  for (const [which, index] of [
    ['on a cold node', 3],
    ['the next one', 7],
  ] as const) {
    store.reset();
    const filter: Filter = { kind: 'comparison', attribute: 'id', operator: 'eq', values: [idOf(index % rowCount)] };
    const rankBy = { kind: 'order', keys: [{ attribute: 'id', descending: false }] } as const;
    const projection = { kind: 'include', names: ['title'] } as const;
    const consistency = { level: 'strong', stalenessMsMax: 0, generationMin: 0 } as const;
    const { rows } = await engine.query(namespace, { rankBy, filter, limit: 1, projection }, consistency);
    if (rows?.length !== 1) throw new Error('the document was not found');
    print(`  query ["id", "Eq", …] with its title, ${which}: ${requestsOf(store)}`);
  }
  await engine.close();
}

/** Each through the gateway and an ingester that knows nothing. */
async function lineage({ store, base }: World): Promise<void> {
  const noQueryNode = () => {
    throw new Error('this bench has no query node');
  };
  for (const [title, path, body] of [
    ['branch', '/v2/namespaces/child', { branch_from_namespace: namespace }],
    ['snapshot', `/v2/namespaces/${namespace}/snapshots`, { name: 'noon' }],
    ['restore', `/v2/namespaces/${namespace}/restore`, { snapshot: 'noon', into: 'again' }],
  ] as const) {
    const ingester = createIngesterRole({ ...base, queryNodes: () => [], compactor: () => undefined });
    const client = createLocalClient(IngesterService, ingester.service, base);
    const gateway = createGatewayRole(
      { ...base, ingester: () => client, queryNode: noQueryNode, anyQueryNode: noQueryNode },
      defaultGatewayConfig,
    );
    store.reset();
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'POST', path, query: '', headers, body: utf8Encode(JSON.stringify(body)) };
    const answer = await gateway.handle(request, new AbortController().signal);
    if (answer.status !== 200) throw new Error(`${title} answered ${answer.status}`);
    print(`  ${title}: ${requestsOf(store)}`);
    await gateway.close();
    await ingester.close();
  }
}

for (const rowCount of [10, rowCountMax]) {
  const world = await fill(rowCount);
  print(`${rowCount} documents`);
  await lookUp(world, rowCount);
  await queryById(world, rowCount);
  await lineage(world);
}
