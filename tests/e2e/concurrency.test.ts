import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Answer, send } from '../support/http.ts';
import { printingLogs } from '../support/printing-logs.ts';
import { type ProcessTarget, startOnDirectory } from '../support/process-target.ts';
import { waitUntil } from '../support/wait-until.ts';

/** Rows that each scan reads whole, and patterns that no index narrows down, so that it takes seconds. */
const rowCount = 400_000;
const batchRowCount = 100_000;
const workerCount = 2;

const digits = (value: number, length: number) => String(value).padStart(length, '0');
const patterns = Array.from({ length: 6 }, (_, i) => ['text', 'Regex', `[a-z0-9 ]{2,9}[${digits(i, 1)}!]x[!?]+$`]);
const scan = { aggregate_by: { rows: ['Count'] }, filters: ['Or', patterns] };
const small = { rank_by: ['id', 'asc'], limit: 3 };

let target: ProcessTarget;
/** Of one scan that has the machine for itself. */
let scanMs = 0;

beforeAll(async () => {
  target = await startOnDirectory({ 'worker-count': String(workerCount) });
  await write('small', { upsert_rows: [{ id: 1 }, { id: 2 }, { id: 3 }] });
  for (let first = 0; first < rowCount; first += batchRowCount) {
    const id = Array.from({ length: batchRowCount }, (_, i) => first + i);
    const text = id.map((one) => `row ${digits(one, 8)} of some words`);
    const schema = { text: { type: 'string', regex: true, filterable: false } };
    await write('large', { upsert_columns: { id, text }, schema });
  }
  await waitUntil('the rows are indexed', 120_000, async () => {
    const { json } = await send(target.url, 'GET', '/v1/namespaces/large/metadata');
    return (json as { index: { status: string } }).index.status === 'up-to-date';
  });
  // Starts every search thread and loads the texts.
  const answers = await Promise.all([query('large', scan), query('large', scan), query('small', small)]);
  expect(answers[0]).toMatchObject({ status: 200, json: { aggregations: { rows: 0 } } });
  const startedMs = performance.now();
  await query('large', scan);
  scanMs = performance.now() - startedMs;
}, 180_000);

afterAll(() => target?.close());

async function write(name: string, body: object): Promise<void> {
  expect(await send(target.url, 'POST', `/v2/namespaces/${name}`, { body })).toMatchObject({ status: 200 });
}

function query(name: string, body: object): Promise<Answer> {
  return send(target.url, 'POST', `/v2/namespaces/${name}/query`, { body });
}

/** A scan whose client hangs up when it is told to. */
function startScan() {
  const controller = new AbortController();
  const done = fetch(`${target.url}/v2/namespaces/large/query`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(scan),
    signal: controller.signal,
  }).then(
    async (response) => {
      await response.arrayBuffer();
      return { status: response.status, retryAfterMs: Number(response.headers.get('retry-after-ms')) };
    },
    () => 'gone' as const,
  );
  return { done, hangUp: () => controller.abort() };
}

/** A query that finds every search thread taken. */
async function queryThatWaits(): Promise<{ readonly answer: Promise<Answer> }> {
  for (;;) {
    const answer = query('small', small);
    const isAnswered = await Promise.race([answer.then(() => true), sleep(scanMs / 20, false)]);
    if (!isAnswered) return { answer };
  }
}

async function durationOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

describe('scans of many rows', () => {
  const check = (title: string, body: () => Promise<void>) =>
    test(title, () => printingLogs(() => target, body), 120_000);

  check('block neither health checks nor small queries', async () => {
    const running = startScan();
    let isOver = false;
    const done = running.done.finally(() => {
      isOver = true;
    });
    const waits: number[] = [];
    while (!isOver) {
      waits.push(await durationOf(() => send(target.url, 'GET', '/healthz')));
      waits.push(await durationOf(() => query('small', small)));
    }
    expect(await done).toMatchObject({ status: 200 });
    expect(waits.length).toBeGreaterThan(10);
    expect(Math.max(...waits)).toBeLessThan(scanMs / 2);
  });

  check('end when their clients hang up', async () => {
    const running = Array.from({ length: workerCount }, startScan);
    const waiting = await queryThatWaits();
    const waitMs = await durationOf(async () => {
      for (const one of running) one.hangUp();
      expect(await waiting.answer).toMatchObject({ status: 200 });
    });
    expect(waitMs).toBeLessThan(scanMs / 2);
    expect(await Promise.all(running.map(({ done }) => done))).toEqual(['gone', 'gone']);
  });

  check('of one namespace are bounded: the others wait a while, then 429 says when to come back', async () => {
    const running = Array.from({ length: 40 }, startScan);
    const refused = await Promise.any(
      running.map(async ({ done }) => {
        const answer = await done;
        if (answer === 'gone' || answer.status !== 429) throw new Error('not refused');
        return answer;
      }),
    );
    expect(refused.retryAfterMs).toBeGreaterThan(0);
    expect(await send(target.url, 'GET', '/healthz')).toMatchObject({ status: 200 });
    for (const one of running) one.hangUp();
    await Promise.all(running.map(({ done }) => done));
    expect(await query('large', { ...small, filters: ['id', 'Eq', 7] })).toMatchObject({ status: 200 });
  });
});
