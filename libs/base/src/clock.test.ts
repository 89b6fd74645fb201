import { describe, expect, test } from '@jest/globals';
import { createSystemClock, deadlineSignal } from './clock.ts';

describe('deadlineSignal', () => {
  test('aborts with a TimeoutError when the time is over', async () => {
    const clock = createSystemClock();
    using deadline = deadlineSignal(clock, 1);
    await new Promise<void>((resolve) => deadline.signal.addEventListener('abort', () => resolve()));
    expect(deadline.signal.reason).toMatchObject({ name: 'TimeoutError' });
  });

  test('follows its parent, also one that had aborted before', () => {
    const parent = new AbortController();
    using deadline = deadlineSignal(createSystemClock(), 60_000, parent.signal);
    parent.abort(new Error('gone'));
    expect(deadline.signal.reason).toMatchObject({ message: 'gone' });
    using late = deadlineSignal(createSystemClock(), 60_000, parent.signal);
    expect(late.signal.aborted).toBe(true);
  });
});

test('a sleep is cut short by its signal', async () => {
  const controller = new AbortController();
  const sleeping = createSystemClock().sleep(60_000, controller.signal);
  controller.abort(new Error('enough'));
  await expect(sleeping).rejects.toThrow('enough');
});
