/** `make chaos`: half of MINUTES on a directory, then half on S3, from SEED on; stops at the first round that finds something wrong. */
import { createSystemClock } from '@lagoon/base';
import { drawSeed, runChaos } from './chaos.ts';
import { storeNames } from './shared-store.ts';

const roundMs = 30_000;
const findingCountMax = 20;
const logCharactersMax = 40_000;

const minutes = Number(process.env.MINUTES || 2);
const seed = Number(process.env.SEED || drawSeed());
const stores = storeNames.filter((name) => [undefined, '', name].includes(process.env.STORE));
const roundCount = Math.max(1, Math.round((minutes * 60_000) / roundMs / stores.length));
const clock = createSystemClock();
const print = (line: string) => process.stdout.write(`${line}\n`);

let close = async (): Promise<void> => {};
let closing: Promise<void> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Not `once`: where no listener is left, a library of the container's ends the process at once.
  process.on(signal, () => {
    closing ??= close().finally(() => process.exit(1));
  });
}

print(`chaos: SEED=${seed} MINUTES=${minutes}`);
for (const store of stores) {
  const options = { store, seed, roundCount, roundMs, untilIndexed: true, report: print };
  const { wrong, counts, logs } = await runChaos(clock, options, (closeAll) => {
    close = closeAll;
  }).catch(async (error: unknown) => {
    await closing; // the rounds fail when it begins, and nothing may be left behind
    throw error;
  });
  if (wrong.length > 0) {
    print(logs.slice(-logCharactersMax));
    print(wrong.slice(0, findingCountMax).join('\n'));
    print(`${wrong.length} findings; again with: make chaos SEED=${seed}`);
    process.exit(1);
  }
  print(
    `${store}: ${roundCount} rounds, nothing wrong\n${JSON.stringify(Object.fromEntries([...counts].sort()), undefined, 2)}`,
  );
}
