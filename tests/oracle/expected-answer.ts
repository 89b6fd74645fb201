import { answer, answerGroups, type OracleRow } from '../../libs/query/src/oracle.ts';
import type { QuerySpec } from '../../libs/query/src/query-spec.ts';
import { idToJson, plainInteger, rowToJson, valueToJson } from './dialect-printer.ts';
import type { OracleNamespace } from './oracle-model.ts';
import type { RandomQuery } from './random-specs.ts';

/** What the JSON of an answer must hold; undefined where a sum does not fit 64 bits, which is refused. */
export function expectedAnswer(namespace: OracleNamespace, query: RandomQuery): unknown {
  const { spec, offset } = query;
  if (spec.rankBy.kind === 'aggregate') return expectedNumbers(namespace, spec);
  const { schema, documents } = namespace;
  const rows = answer(schema, [...documents.values()], spec).slice(offset);
  return { rows: rows.map((row) => expectedRow(namespace, row, spec)) };
}

function expectedRow({ schema, documents }: OracleNamespace, { id, dist }: OracleRow, spec: QuerySpec): unknown {
  const head = { id: idToJson(id), ...(dist === undefined ? {} : { $dist: dist === 0 ? 0 : dist }) };
  const document = documents.get(id);
  if (spec.projection.kind !== 'all' || document === undefined) return head;
  const missing = Object.fromEntries([...schema.attributes.keys()].map((name) => [name, null]));
  return { ...missing, ...rowToJson(schema, document), ...head };
}

function expectedNumbers({ schema, documents }: OracleNamespace, spec: QuerySpec): unknown {
  const { rankBy } = spec;
  if (rankBy.kind !== 'aggregate') throw new Error('no aggregation');
  const all = answerGroups(schema, [...documents.values()], spec);
  const isPast = all.some(({ values }) =>
    values.some((value) => typeof value === 'bigint' && (value < -(2n ** 63n) || value >= 2n ** 64n)),
  );
  if (isPast) return undefined;
  const groups = all.map(({ keys, values }) => ({
    ...Object.fromEntries(
      rankBy.groupBy.map(({ label, attribute, eachElement }, i) => {
        const type = schema.attributes.get(attribute)?.type;
        if (type === undefined || !('scalar' in type)) throw new Error(`no attribute ${attribute}`);
        return [label, valueToJson(keys[i] ?? null, eachElement ? { kind: 'scalar', scalar: type.scalar } : type)];
      }),
    ),
    ...Object.fromEntries(
      rankBy.aggregates.map(({ label }, i) => {
        const value = values[i];
        return [label, typeof value === 'bigint' ? plainInteger(value) : value];
      }),
    ),
  }));
  return rankBy.groupBy.length === 0 ? { aggregations: groups[0] } : { aggregation_groups: groups };
}
