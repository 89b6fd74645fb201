import { fsck } from '@lagoon/server';
import { createActor } from './actor.ts';
import type { LogModel } from './log-model.ts';
import { callUntilAnswered, drive, sleepVirtual, type World } from './world.ts';

/** Once faults have stopped, every tail is indexed within a bound. */
export async function checkLiveness(
  world: World,
  namespaces: readonly string[],
  livenessMs: number,
): Promise<string[]> {
  const { scheduler } = world;
  const untilMs = scheduler.nowMs + livenessMs;
  for (const namespace of namespaces) {
    for (;;) {
      const metadata = await callUntilAnswered(world, 'GET', `/v2/namespaces/${namespace}/metadata`, undefined);
      if (metadata.status === 404) break;
      const index = metadata.body.index as { status: string };
      if (index.status === 'up-to-date') break;
      if (scheduler.nowMs > untilMs) return [`${namespace} is not indexed ${livenessMs} ms after the last fault`];
      await sleepVirtual(world, 1_000);
    }
  }
  return [];
}

/** What every query node shows in the end is what the log says at its head; and all of it is indexed, so counts are exact. */
export async function checkFinalContent(world: World, models: ReadonlyMap<string, LogModel>): Promise<string[]> {
  const wrong: string[] = [];
  for (const [namespace, model] of models) {
    const expected = model.generations.at(-1);
    const rows = [...(expected?.rows ?? [])].sort((a, b) => a[0] - b[0]);
    const body = { rank_by: ['id', 'asc'], limit: 10_000, include_attributes: ['w'] };
    for (const node of world.cluster.queryNodes.keys()) {
      const answer = await callUntilAnswered(world, 'POST', `/v2/namespaces/${namespace}/query`, body, {}, node);
      const seen =
        answer.status === 404 ? [] : (answer.body.rows as { id: number; w: number }[]).map((row) => [row.id, row.w]);
      if ((answer.status === 200) !== (expected?.alive ?? false) || JSON.stringify(seen) !== JSON.stringify(rows)) {
        wrong.push(`in the end ${namespace} shows ${JSON.stringify(seen)} and the log says ${JSON.stringify(rows)}`);
      }
    }
    const metadata = await callUntilAnswered(world, 'GET', `/v2/namespaces/${namespace}/metadata`, undefined);
    if (metadata.status === 200 && metadata.body.approx_row_count !== rows.length)
      wrong.push(`in the end ${namespace} counts ${metadata.body.approx_row_count} rows, and has ${rows.length}`);
  }
  return wrong;
}

/** Whatever lives is listed; and where nothing fails, a namespace that ends is listed no more. */
export async function checkCatalogue(world: World, models: ReadonlyMap<string, LogModel>): Promise<string[]> {
  const wrong: string[] = [];
  const list = async (): Promise<string[]> => {
    const answer = await callUntilAnswered(world, 'GET', '/v1/namespaces', undefined);
    return (answer.body.namespaces as { id: string }[]).map(({ id }) => id);
  };
  const listed = await list();
  for (const [namespace, model] of models) {
    if (model.generations.at(-1)?.alive === true && !listed.includes(namespace))
      wrong.push(`in the end ${namespace} lives and is not listed`);
  }
  const path = '/v2/namespaces/last';
  await callUntilAnswered(world, 'POST', path, { upsert_rows: [{ id: 1, w: 1 }] }, { 'idempotency-key': 'last' });
  if (!(await list()).includes('last')) wrong.push('a namespace that was just born is not listed');
  await callUntilAnswered(world, 'DELETE', path, undefined);
  if ((await list()).includes('last')) wrong.push('a namespace that has just ended is still listed');
  return wrong;
}

/** When nothing has happened for long, everything needed is there and whole, everything else is gone, and content is what it was. */
export async function checkGarbage(
  world: World,
  quietMs: number,
  models: ReadonlyMap<string, LogModel>,
): Promise<string[]> {
  const early = await verify(world);
  const wrong = early.problems.map(({ key, problem }) => `before the quiet days ${key} ${problem}`);
  await sleepVirtual(world, quietMs);
  const { orphans, problems } = await verify(world);
  wrong.push(...problems.map(({ key, problem }) => `after quiet days ${key} ${problem}`));
  wrong.push(...orphans.map(({ key, reason }) => `after quiet days there still is ${key} (${reason})`));
  wrong.push(...(await checkFinalContent(world, models)));
  return wrong;
}

/** As somebody with a direct connection to the bucket sees it. */
export function verify(world: World): ReturnType<typeof fsck> {
  const inspector = createActor(world.scheduler, 'inspector', 0);
  return drive(world, () => fsck(world.store.handle(inspector)));
}
