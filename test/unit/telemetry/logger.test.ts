import { describe, expect, test } from 'vitest';
import { SkaldError } from '../../../shared/errors.ts';
import { createLogger, type Logger, type LogLevel } from '../../../shared/telemetry/logger.ts';

const NOON_MS = Date.UTC(2025, 5, 1, 12, 0, 0, 250);

function capture(level: LogLevel, log: (logger: Logger) => void, human = false): string[] {
  const lines: string[] = [];
  const stream = { write: (line: string) => void lines.push(line) };
  log(createLogger({ level, stream, human, nowMs: () => NOON_MS }));
  return lines;
}

function fieldsOf(log: (logger: Logger) => void): unknown[] {
  return capture('trace', log).map((line): unknown => JSON.parse(line));
}

describe('lines of JSON', () => {
  test('time in RFC 3339, level by name, fields, message; one line each', () => {
    const lines = capture('info', (logger) => {
      logger
        .child({ component: 'publish', pipeline: 'access-log' })
        .warn({ partition: 3 }, 'the broker\nis slow');
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'warn',
      time: '2025-06-01T12:00:00.250Z',
      component: 'publish',
      pipeline: 'access-log',
      partition: 3,
      msg: 'the broker\nis slow',
    });
  });

  test('less severe lines than the level are not written', () => {
    const lines = capture('warn', (logger) => {
      logger.trace('a');
      logger.debug('b');
      logger.info('c');
      logger.warn('d');
      logger.error('e');
    });
    expect(lines.map((line): unknown => JSON.parse(line).msg)).toEqual(['d', 'e']);
  });

  test('an error of ours shows code and place, and its cause', () => {
    const cause = new TypeError('socket closed');
    const error = new SkaldError('KAFKA_TIMEOUT', 'no answer', {
      cause,
      where: { topic: 'access', offset: 2n ** 60n },
    });
    const [line] = fieldsOf((logger) => logger.error({ err: error }, 'x'));
    expect(line).toMatchObject({
      err: {
        code: 'KAFKA_TIMEOUT',
        message: 'no answer',
        retryable: true,
        where: { topic: 'access', offset: '1152921504606846976' },
        cause: {
          name: 'TypeError',
          message: 'socket closed',
          stack: expect.stringContaining('logger.test.ts'),
        },
      },
    });
    expect(line).not.toHaveProperty('err.stack');
  });

  test('an error that causes itself ends', () => {
    const error = new Error('round');
    error.cause = error;
    expect(fieldsOf((logger) => logger.error({ err: error }, 'x'))).toHaveLength(1);
  });

  test('what was thrown and is no error is shown as it is', () => {
    expect(fieldsOf((logger) => logger.error({ err: 'text' }, 'x'))).toEqual([
      expect.objectContaining({ err: 'text' }),
    ]);
  });

  test('offsets keep all their digits', () => {
    expect(fieldsOf((logger) => logger.info({ offset: 9_007_199_254_740_993n }, 'x'))).toEqual([
      expect.objectContaining({ offset: '9007199254740993' }),
    ]);
  });

  test('credentials never reach a line', () => {
    const lines = capture('info', (logger) => {
      logger.info(
        {
          password: 'hunter2',
          sasl: { password: 'hunter2' },
          config: { store: { secretAccessKey: 'hunter2' } },
        },
        'x',
      );
    });
    expect(lines.join('')).not.toContain('hunter2');
    expect(lines.join('')).toContain('[redacted]');
  });
});

describe('text for people', () => {
  test('time, level, component, message, fields', () => {
    const lines = capture(
      'info',
      (logger) =>
        logger
          .child({ component: 'publish' })
          .info({ pipeline: 'access-log', partition: 3, racks: ['a', 'b'] }, 'moved'),
      true,
    );
    expect(lines).toEqual([
      '12:00:00.250 INFO  publish: moved  pipeline=access-log  partition=3  racks=["a","b"]\n',
    ]);
  });

  test('a file name with control characters cannot move the cursor or fake a line', () => {
    const lines = capture(
      'info',
      (logger) => logger.info({ file: '/var/log/\u001b[2Jx\n12:00:00 ERROR y\u009b' }, 'found'),
      true,
    );
    expect(lines).toEqual([
      String.raw`12:00:00.250 INFO  found  file=/var/log/\u001b[2Jx\u000a12:00:00 ERROR y\u009b` + '\n',
    ]);
  });
});
