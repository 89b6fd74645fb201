import { LagoonError } from '@lagoon/base';
import type { LogContext } from './context.ts';
import { floorPrefix, headKey, logPrefix, namespacePrefix, parseKeyAs } from './keys.ts';
import { proofBy } from './proof.ts';
import type { Proof } from './view.ts';

const pageCountMax = 1_000;

export interface FloorCheck {
  /** Largest floor; 0: none was ever raised. */
  readonly floor: number;
  /** What a view at or above the floor is proven by. */
  readonly proof: Proof;
}

/** Lists floor/. The answer proves every view whose next generation is above the floor, from when it was sent. */
export async function checkFloor(context: LogContext, name: string, signal?: AbortSignal): Promise<FloorCheck> {
  const prefix = floorPrefix(name);
  let floor = 0;
  let first: Proof | undefined;
  let startAfter: string | undefined;
  for (let pageCount = 0; pageCount < pageCountMax; pageCount++) {
    const sent = context.time.now();
    const page = await context.store.list({ prefix, ...(startAfter === undefined ? {} : { startAfter }) }, signal);
    context.time.answered(page);
    first ??= proofBy(sent, page);
    for (const { key } of page.objects) floor = Math.max(floor, parseKeyAs(key, 'floor').generation);
    startAfter = page.objects.at(-1)?.key;
    if (!page.truncated || startAfter === undefined) return { floor, proof: first };
  }
  throw new LagoonError('resource_exhausted', 'too many floors', { context: { namespace: name } });
}

/** A floor check that also tells what else there is: one request for the usual namespace. */
export interface Survey extends FloorCheck {
  /** Largest generation seen in the listing; 0: none. */
  readonly listedGeneration: number;
  /** Whether the listing reached the end of the log: then `listedGeneration` was the head. */
  readonly complete: boolean;
}

const surveyPageSize = 256;

/**
 * Lists ns/<name>/ from floor/ on: floors, head, then the log. An absent namespace is known by this one request. Pages are read on
 * only while they hold floors; a long log is left to galloping.
 */
export async function surveyNamespace(context: LogContext, name: string, signal?: AbortSignal): Promise<Survey> {
  const head = headKey(name);
  let floor = 0;
  let listedGeneration = 0;
  let first: Proof | undefined;
  let startAfter = floorPrefix(name);
  for (let pageCount = 0; pageCount < pageCountMax; pageCount++) {
    const sent = context.time.now();
    const page = await context.store.list({ prefix: namespacePrefix(name), startAfter, limit: surveyPageSize }, signal);
    context.time.answered(page);
    first ??= proofBy(sent, page);
    for (const { key } of page.objects) {
      if (key.startsWith(floorPrefix(name))) floor = Math.max(floor, parseKeyAs(key, 'floor').generation);
      if (key.startsWith(logPrefix(name))) listedGeneration = parseKeyAs(key, 'log').generation;
    }
    const last = page.objects.at(-1)?.key;
    const complete = !page.truncated || last === undefined || last > `${logPrefix(name)}~`;
    if (complete || last >= head) return { floor, proof: first, listedGeneration, complete };
    startAfter = last;
  }
  throw new LagoonError('resource_exhausted', 'too many floors', { context: { namespace: name } });
}
