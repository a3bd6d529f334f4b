import { expect, test } from 'vitest';
import { silentLogger, type LogFields } from '../../../shared/telemetry/logger.ts';
import { repeatedLog } from '../../../shared/telemetry/repeated-log.ts';

function setUp(maxProblems?: number) {
  const lines: [level: string, fields: LogFields, message: string][] = [];
  const clock = { ms: 0, monotonicMs: () => clock.ms };
  const method = (level: string) => (fields: LogFields | string, message?: string) => {
    if (typeof fields !== 'string') lines.push([level, fields, message ?? '']);
  };
  const logger = { ...silentLogger, warn: method('warn'), error: method('error') };
  const options = { logger, clock, intervalMs: 10_000 };
  const log = repeatedLog(maxProblems === undefined ? options : { ...options, maxProblems });
  return { lines, clock, log };
}

test('the first is logged at once, the next are counted, and summed up when the interval is over', () => {
  const { lines, clock, log } = setUp();
  log.warn('slow', { broker: 1 }, 'the broker is slow');
  for (clock.ms = 100; clock.ms < 10_000; clock.ms += 100)
    log.warn('slow', { broker: 1 }, 'the broker is slow');
  expect(lines).toEqual([['warn', { broker: 1 }, 'the broker is slow']]);
  clock.ms = 10_000;
  log.warn('slow', { broker: 2 }, 'the broker is slow');
  expect(lines.slice(1)).toEqual([['warn', { broker: 2, repeated: 100 }, 'the broker is slow']]);
});

test('every occurrence is in exactly one line: the first, or a count', () => {
  const { lines, clock, log } = setUp();
  for (let i = 0; i < 1000; i += 1) {
    clock.ms += 137;
    log.error('lost', {}, 'lost');
  }
  log.flush();
  const said = lines.reduce((sum, [, fields]) => sum + Number(fields['repeated'] ?? 1), 0);
  expect(said).toBe(1000);
  // 137 s at one line every 10 s, the first line and the last flush.
  expect(lines.length).toBeLessThanOrEqual(137 / 10 + 2);
});

test('different problems do not hide each other', () => {
  const { lines, log } = setUp();
  log.warn('slow:1', {}, 'slow');
  log.warn('slow:2', {}, 'slow');
  expect(lines).toHaveLength(2);
});

test('a flush says what was counted, once', () => {
  const { lines, log } = setUp();
  log.error('lost', { file: 'a' }, 'lost');
  log.flush();
  expect(lines).toHaveLength(1);
  log.error('lost', { file: 'b' }, 'lost');
  log.flush();
  log.flush();
  expect(lines.slice(1)).toEqual([['error', { file: 'b', repeated: 1 }, 'lost']]);
});

test('it remembers a bounded number of problems, and says what it counted of one before it forgets it', () => {
  const { lines, log } = setUp(2);
  log.warn('a', {}, 'a');
  log.warn('b', {}, 'b');
  log.warn('a', {}, 'a');
  log.warn('c', {}, 'c'); // b was quiet for longest
  log.warn('d', {}, 'd'); // now a
  expect(lines.map(([, fields, message]) => [message, fields['repeated'] ?? 0])).toEqual([
    ['a', 0],
    ['b', 0],
    ['c', 0],
    ['a', 1],
    ['d', 0],
  ]);
});
