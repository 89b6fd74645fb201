import { describe, expect, test } from '@jest/globals';
import { LagoonError } from '@lagoon/base';
import { createLogTo } from './log.ts';

function recording() {
  const lines: string[] = [];
  return { write: (line: string) => lines.push(line), parsed: () => lines.map((line) => JSON.parse(line)) };
}

describe('log', () => {
  test('a line is one JSON object with level, time, message and the fields of it and its parents', () => {
    const lines = recording();
    createLogTo('info', lines).child({ role: 'query' }).info('opened', { namespace: 'a' });
    expect(lines.parsed()).toEqual([
      { level: 'info', time: expect.stringMatching(/^\d{4}-.*Z$/), role: 'query', namespace: 'a', msg: 'opened' },
    ]);
  });

  test('lines below the level are dropped', () => {
    const lines = recording();
    const log = createLogTo('warn', lines);
    log.debug('a');
    log.info('b');
    log.warn('c');
    expect(lines.parsed().map((line) => line.msg)).toEqual(['c']);
  });

  test('an error is written with its code, its message and its causes', () => {
    const lines = recording();
    const cause = new Error('socket hang up');
    createLogTo('info', lines).error('append failed', { error: new LagoonError('unavailable', 'no store', { cause }) });
    expect(lines.parsed()[0].error).toMatchObject({
      code: 'unavailable',
      message: 'no store',
      cause: { message: 'socket hang up' },
    });
  });
});
