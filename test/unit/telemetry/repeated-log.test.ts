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

test('one that lasts is said less and less often, down to once in 64 intervals; one that has come back at once', () => {
  const { lines, clock, log } = setUp();
  const saidAtMs: number[] = [];
  const minutes = (count: number): void => {
    for (let second = 0; second < count * 60; second += 1) {
      clock.ms += 1_000;
      const before = lines.length;
      log.warn('away', {}, 'the broker is away');
      if (lines.length > before) saidAtMs.push(clock.ms);
    }
  };
  minutes(60);
  const pauses = saidAtMs.slice(1).map((at, i) => (at - saidAtMs[i]!) / 10_000);
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64, 64]);
  clock.ms += 86_400_000;
  minutes(1);
  // News at once, and then as if it had just begun: after two intervals more, and after four.
  expect(saidAtMs.slice(-2).map((at) => at - clock.ms)).toEqual([-59_000, -39_000]);
});

test('ten thousand files that cannot be read, looked at each second, do not fill the log', () => {
  const { lines, clock, log } = setUp();
  for (let second = 0; second < 600; second += 1) {
    clock.ms += 1_000;
    for (let file = 0; file < 10_000; file += 1)
      log.error(`open ${file}`, { file }, 'cannot read a log file');
  }
  log.flush();
  // Two hundred are named: at first, after 10, 30, 70, 150 and 310 s, and at the end; and a line for the others each time.
  expect(lines.length).toBeLessThanOrEqual(201 * 7);
  const said = lines.reduce((sum, [, fields]) => sum + Number(fields['repeated'] ?? 1), 0);
  expect(said).toBe(6_000_000);
  expect(lines[200]![2]).toBe('too many problems to name each; one of the others: cannot read a log file');
});

test('it remembers a bounded number of problems, and says what it counted of one before it forgets it', () => {
  const { lines, clock, log } = setUp(2);
  log.warn('a', {}, 'a');
  log.warn('b', {}, 'b');
  log.warn('b', {}, 'b');
  log.warn('c', {}, 'c'); // no room: a and b have just happened
  clock.ms = 10_001;
  log.warn('a', {}, 'a');
  log.warn('d', {}, 'd'); // b was quiet for long
  expect(lines.map(([, fields, message]) => [message, fields['repeated'] ?? 0])).toEqual([
    ['a', 0],
    ['b', 0],
    ['too many problems to name each; one of the others: c', 0],
    ['a', 1],
    ['b', 1],
    ['d', 0],
  ]);
});
