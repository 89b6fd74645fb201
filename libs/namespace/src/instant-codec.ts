import { create } from '@bufbuild/protobuf';
import { corrupt } from '@lagoon/base';
import {
  InstantSchema,
  LogRangeSchema,
  type Instant as StoredInstant,
} from '@lagoon/proto/lagoon/storage/v1/storage_pb.js';
import { parseKeyAs } from './keys.ts';
import { checkNamespaceName } from './name-escape.ts';
import { referenceFromStored, referenceToStored } from './object-reference.ts';
import { toSafeNumber } from './proto-number.ts';
import type { Instant, LogRange } from './view.ts';

/** Every ancestor that nothing has indexed yet leaves a range; a deeper lineage is refused before it is written. */
export const tailRangeCountMax = 1_000;

const hashBytes = 32;

export function instantToStored(instant: Instant): StoredInstant {
  return create(InstantSchema, {
    namespace: instant.namespace,
    incarnation: instant.incarnation,
    family: instant.family,
    birthGeneration: BigInt(instant.birthGeneration),
    generation: BigInt(instant.generation),
    ...(instant.manifestBody === undefined ? {} : { manifestBody: referenceToStored(instant.manifestBody) }),
    tail: instant.tail.map((range) =>
      create(LogRangeSchema, {
        namespace: range.namespace,
        generationFirst: BigInt(range.generationFirst),
        generationLast: BigInt(range.generationLast),
        hashLast: range.hashLast,
      }),
    ),
  });
}

/** Throws `corrupt`; `within` is the key of what holds the instant. */
export function instantFromStored(within: string, stored: StoredInstant): Instant {
  const { namespace, incarnation, family, tail } = stored;
  const generation = toSafeNumber(stored.generation, { key: within });
  const birthGeneration = toSafeNumber(stored.birthGeneration, { key: within });
  const isWhole = incarnation !== '' && family !== '' && birthGeneration >= 1 && birthGeneration <= generation;
  if (!isWhole || tail.length > tailRangeCountMax) throw corrupt('instant is not whole', { key: within });
  checkName(within, namespace);
  const manifestBody = stored.manifestBody === undefined ? undefined : referenceFromStored(within, stored.manifestBody);
  if (manifestBody !== undefined) parseKeyAs(manifestBody.key, 'body');
  return {
    namespace,
    incarnation,
    family,
    birthGeneration,
    generation,
    manifestBody,
    tail: tail.map((range): LogRange => {
      const generationFirst = toSafeNumber(range.generationFirst, { key: within });
      const generationLast = toSafeNumber(range.generationLast, { key: within });
      const { hashLast } = range;
      const fits = generationFirst >= 1 && generationFirst <= generationLast && hashLast.byteLength === hashBytes;
      if (!fits) throw corrupt('log range is not whole', { key: within });
      checkName(within, range.namespace);
      return { namespace: range.namespace, generationFirst, generationLast, hashLast };
    }),
  };
}

function checkName(within: string, name: string): void {
  try {
    checkNamespaceName(name);
  } catch (cause) {
    throw corrupt('not a namespace name', { key: within, cause: String(cause) });
  }
}
