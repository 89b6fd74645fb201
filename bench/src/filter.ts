/**
 * What a filter costs on a million rows, by attribute indexes and by scanning columns: bytes read from the store by its first query, and time once all is
 * in memory. One segment, counted in the engine on the calling thread, so that little but the filter is measured.
 */
import { createSeededRandom } from '@lagoon/base';
import {
  type AttributeSchema,
  type AttributeValue,
  type Block,
  encodeBlock,
  openBlock,
  type Schema,
} from '@lagoon/format';
import type { Filter, QueryEngine } from '@lagoon/query';
import { openOneSegment } from './one-segment-engine.ts';
import { quantile } from './statistics.ts';

const rowCount = 1_000_000;
const repeatCount = 15;
const attribute = (scalar: 'int' | 'string'): AttributeSchema => ({
  type: { kind: 'scalar', scalar },
  filterable: true,
});
const schema: Schema = {
  idKind: 'u64',
  attributes: new Map([
    ['rare', attribute('int')],
    ['percent', attribute('int')],
    ['half', attribute('int')],
    ['number', attribute('int')],
    ['name', { ...attribute('string'), regex: true }],
  ]),
};

function makeBlock(): Block {
  const random = createSeededRandom(1);
  const column = (name: string, valueAt: (row: number) => AttributeValue) => {
    const type = schema.attributes.get(name)?.type ?? { kind: 'scalar' as const, scalar: 'int' as const };
    return { name, type, values: Array.from({ length: rowCount }, (_, row) => valueAt(row)) };
  };
  const below = (bound: number) => BigInt(Math.floor(random.float() * bound));
  const columns = [
    column('rare', () => below(10_000)),
    column('percent', () => below(100)),
    column('half', () => below(2)),
    column('number', () => below(2 ** 40)),
    column('name', (row) => `user-${((row * 7_919) % rowCount).toString(36)}@example-${row % 10}.com`),
  ];
  const ids = Array.from({ length: rowCount }, (_, row) => BigInt(row));
  return openBlock(encodeBlock({ idKind: 'u64', ids, deletes: [], columns }), { verify: false });
}

/** A namespace of one segment, with indexes or without. */
const open = (block: Block, indexedRowCountMin: number) =>
  openOneSegment(block, schema, { indexedRowCountMin, arenaBytes: 512 << 20, textIndexBytesMax: 64 << 20 });

async function count(engine: QueryEngine, filter: Filter): Promise<{ count: bigint; bytes: number; ms: number }> {
  const rankBy = {
    kind: 'aggregate',
    aggregates: [{ kind: 'count', label: 'n', attribute: undefined }],
    groupBy: [],
  } as const;
  const consistency = { level: 'eventual', stalenessMsMax: 3_600_000, generationMin: 0 } as const;
  const startedAt = performance.now();
  const spec = { rankBy, filter, limit: 10, projection: { kind: 'none' } } as const;
  const { groups, statistics } = await engine.query('bench', spec, consistency);
  const ms = performance.now() - startedAt;
  return { count: BigInt(groups?.[0]?.values[0] ?? 0), bytes: statistics.storeBytes, ms };
}

const compare = (name: string, operator: 'eq' | 'lt' | 'gte', value: AttributeValue): Filter => ({
  ...{ kind: 'comparison', attribute: name, operator, values: [value] },
});
const share = (part: number): bigint => BigInt(Math.floor(part * 2 ** 40));
const filters: [string, Filter][] = [
  ['Eq, 0.01 %', compare('rare', 'eq', 7n)],
  ['Eq, 1 %', compare('percent', 'eq', 7n)],
  ['Eq, 50 %', compare('half', 'eq', 1n)],
  ['range, 0.01 %', compare('number', 'lt', share(0.0001))],
  ['range, 1 %', compare('number', 'lt', share(0.01))],
  ['range, 50 %', compare('number', 'lt', share(0.5))],
  ['range, 99 %', compare('number', 'gte', share(0.01))],
  ['Eq on distinct texts', compare('name', 'eq', `user-${(7_919).toString(36)}@example-1.com`)],
  ['Regex on them', { kind: 'pattern', attribute: 'name', operator: 'regex', pattern: 'user-k1[0-9a-z]*@example-3' }],
];

const block = makeBlock();
const lookUps = await open(block, 0);
const scans = await open(block, Number.POSITIVE_INFINITY);
for (const { engine } of [lookUps, scans]) await count(engine, compare('rare', 'eq', -1n)); // opens it
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
process.stdout.write(
  `segment of ${rowCount} rows: ${mib(scans.segmentBytes)} in ${(scans.buildMs / 1_000).toFixed(1)} s, with indexes ${mib(lookUps.segmentBytes)} in ${(lookUps.buildMs / 1_000).toFixed(1)} s\n`,
);
process.stdout.write('filter                    rows    index KiB   column KiB   index ms  column ms   ratio\n');
for (const [title, filter] of filters) {
  const cold = { index: await count(lookUps.engine, filter), column: await count(scans.engine, filter) };
  if (cold.index.count !== cold.column.count) throw new Error(`${title}: other rows by the index`);
  const times: { index: number[]; column: number[] } = { index: [], column: [] };
  for (let i = 0; i < repeatCount; i++) {
    times.index.push((await count(lookUps.engine, filter)).ms);
    times.column.push((await count(scans.engine, filter)).ms);
  }
  const [byIndex, byColumn] = [quantile(times.index, 0.5), quantile(times.column, 0.5)];
  const kib = (bytes: number) => (bytes / 1024).toFixed(0).padStart(12);
  process.stdout.write(
    `${title.padEnd(21)}${String(cold.index.count).padStart(9)} ${kib(cold.index.bytes)} ${kib(cold.column.bytes)} ${byIndex.toFixed(2).padStart(10)} ${byColumn.toFixed(2).padStart(10)} ${(byIndex / byColumn).toFixed(3).padStart(7)}\n`,
  );
}
for (const { engine } of [lookUps, scans]) await engine.close();
