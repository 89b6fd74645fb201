import { expect, test } from '@jest/globals';
import { createProbeQueue } from './probe-queue.ts';

test('one probe at a time, whoever arrives in whichever turn between two of them', async () => {
  for (let turns = 0; turns < 12; turns++) {
    let running = 0;
    let runningMax = 0;
    const answers: (() => void)[] = [];
    const queue = createProbeQueue(
      () => 0,
      async () => {
        runningMax = Math.max(runningMax, ++running);
        await new Promise<void>((resolve) => void answers.push(resolve));
        running--;
      },
    );
    const first = queue.sentFromNow();
    const second = queue.sentFromNow();
    answers.shift()?.();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    const third = queue.sentFromNow();
    const settled = Promise.all([first, second, third]);
    for (let turn = 0; turn < 100; turn++) {
      await Promise.resolve();
      answers.shift()?.();
    }
    await settled;
    expect(runningMax).toBe(1);
  }
});
