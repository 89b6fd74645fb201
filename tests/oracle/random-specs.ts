import type { IdKind } from '@lagoon/format';
import fc from 'fast-check';
import { filter, nullable, rankBy } from '../../libs/query/src/oracle-samples.ts';
import type { Aggregate, GroupKey, LimitPer, QuerySpec } from '../../libs/query/src/query-spec.ts';

/** Queries of every form but several at once; the answer leaves out the first `offset` rows. */
export interface RandomQuery {
  readonly spec: QuerySpec;
  readonly offset: number;
}

const limitPer: fc.Arbitrary<LimitPer> = fc.record({
  attributes: fc.uniqueArray(fc.constantFrom('s', 'i', 'b'), { minLength: 1, maxLength: 2 }),
  limit: fc.integer({ min: 1, max: 2 }),
});

export function randomRanking(idKind: IdKind): fc.Arbitrary<RandomQuery> {
  return fc
    .record({
      rank: rankBy(idKind),
      filter: fc.option(filter(idKind), { freq: 1, nil: null }),
      limit: fc.integer({ min: 1, max: 12 }),
      offset: fc.constantFrom(0, 0, 1, 4),
      per: fc.option(limitPer, { freq: 6, nil: null }),
      isWhole: fc.boolean(),
    })
    .map(({ rank, filter: only, limit, offset, per, isWhole }) => ({
      offset,
      spec: {
        rankBy: rank,
        limit: limit + offset,
        projection: { kind: isWhole ? 'all' : 'none' },
        ...(only === null ? {} : { filter: only }),
        ...(per === null ? {} : { limitPer: per }),
      },
    }));
}

const aggregate: fc.Arbitrary<Omit<Aggregate, 'label'>> = fc.oneof(
  fc.record({ kind: fc.constant('count' as const), attribute: fc.constantFrom(undefined, 's', 'tags', 'f', 'v') }),
  fc.record({ kind: fc.constant('sum' as const), attribute: fc.constantFrom('i', 'u') }),
);

export function randomAggregation(idKind: IdKind): fc.Arbitrary<RandomQuery> {
  return fc
    .record({
      aggregates: fc.array(aggregate, { minLength: 1, maxLength: 3 }),
      groupBy: fc.uniqueArray(fc.constantFrom('s', 'i', 'u', 'f', 'g', 'd', 'b', 'tags', 'numbers'), { maxLength: 3 }),
      filter: nullable(filter(idKind)),
      limit: fc.constantFrom(2, 10_000),
    })
    .map(({ aggregates, groupBy, filter: only, limit }) => ({
      offset: 0,
      spec: {
        rankBy: {
          kind: 'aggregate' as const,
          aggregates: aggregates.map((one, i) => ({ ...one, label: `number${i}` })),
          groupBy: groupBy.map(
            (attribute): GroupKey => ({
              ...{ label: attribute, attribute },
              eachElement: attribute === 'tags' || attribute === 'numbers',
            }),
          ),
        },
        limit,
        projection: { kind: 'none' as const },
        ...(only === null ? {} : { filter: only }),
      },
    }));
}
